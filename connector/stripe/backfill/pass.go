package backfill

import (
	"slices"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/plan"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// pass is one reading of one endpoint, for all selected streams that live on it: the endpoint's own, and the children that
// its objects carry.
type pass struct {
	root     *table.Stream
	family   *family.Member // root and those of its descendants that are needed
	streams  []*selected.Stream
	from, to clock.Second
	live     bool
	again    bool // it is a second reading
	begin    sync.Once

	mu      *sync.Mutex // the Backfill's: guards what follows
	id      state.PassID
	spans   []*span // what is left, whether a worker has it or not
	pages   int     // that arrived
	splits  int
	workers int          // how many read spans of the pass
	pending clock.Second // the creation of the oldest object that came and can still change without an event; 0 for none
	err     error        // why it failed
}

func newPass(t table.Table, part plan.Part, live bool, mu *sync.Mutex) *pass {
	p := &pass{
		root: part.Root, family: family.Of(t, part.Root, part.Streams), streams: part.Streams, from: part.From, to: part.To,
		live: live, again: part.Relisting, mu: mu, id: part.ID, pending: part.Pending,
	}
	for _, w := range part.Windows {
		p.spans = append(p.spans, newSpan(w))
	}
	for _, s := range p.streams {
		s.SetLists(p)
	}
	return p
}

// State returns how far the lists are read for a stream of the pass.
func (p *pass) State(s *selected.Stream) state.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	windows := make([]state.Window, len(p.spans))
	for i, left := range p.spans {
		windows[i] = left.Window
	}
	mode := "test"
	if p.live {
		mode = "live"
	}
	return state.State{
		Version:    state.Version,
		Mode:       mode,
		Generation: s.Generation,
		From:       p.from,
		To:         p.to,
		Pass:       p.id,
		Windows:    windows,
		Relisting:  p.again && len(windows) > 0 || s.NeedsRelist && len(windows) == 0,
		Pending:    p.pending,
	}
}

// Fraction returns the part of the pass's range that is covered, by time.
func (p *pass) Fraction() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.spans) == 0 || p.to <= p.from {
		return 1
	}
	var rest int64
	for _, s := range p.spans {
		rest += s.Remaining()
	}
	return 1 - float64(rest)/float64(p.to-p.from)
}

// remove takes a span that was read to its end out of what is left.
func (p *pass) remove(s *span) {
	p.spans = slices.DeleteFunc(p.spans, func(other *span) bool { return other == s })
}

// maySplit reports whether the pass is large enough, by estimate, for one more split.
func (p *pass) maySplit() bool {
	pages := float64(p.pages)
	for _, s := range p.spans {
		pages += s.pagesLeft()
	}
	return float64(p.splits+1)*pagesPerSplit <= pages
}

// waiting returns a span that no worker has, the newest first; nil if there is none.
func (p *pass) waiting() *span {
	var newest *span
	for _, s := range p.spans {
		if !s.taken && (newest == nil || s.To > newest.To) {
			newest = s
		}
	}
	return newest
}

// note remembers the oldest object of a page that can still change without an event.
func (p *pass) note(objects []rawjson.Object) {
	if p.root.PendingField == "" {
		return
	}
	for _, object := range objects {
		value, _ := rawjson.Lookup(object.Raw, p.root.PendingField)
		if at := p.root.CreatedAt(object); rawjson.String(value) == p.root.PendingValue && (p.pending == 0 || at < p.pending) {
			p.pending = at
		}
	}
}
