package backfill

import (
	"slices"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/plan"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// pass reads one endpoint for all selected streams that depend on it: the endpoint's own streams, and the children that its
// objects embed.
type pass struct {
	root     *table.Stream
	family   *family.Member // root and the descendants that are needed
	streams  []*selected.Stream
	from, to clock.Second
	live     bool
	relist   bool         // the lists are read a second time
	pending  clock.Second // that of the state it resumes from
	begin    sync.Once

	mu      *sync.Mutex // the mutex of the Backfill; guards the fields below
	id      state.PassID
	spans   []*span // what is left to read, assigned to a worker or not
	pages   int     // number of pages that have arrived
	splits  int
	workers int   // number of workers reading spans of the pass
	err     error // why the pass failed
}

func newPass(t table.Table, part plan.Part, live bool, mu *sync.Mutex) *pass {
	p := &pass{
		root: part.Root, family: family.Of(t, part.Root, part.Streams), streams: part.Streams, from: part.From, to: part.To,
		live: live, relist: part.Relisting, mu: mu, id: part.ID, pending: part.Pending,
	}
	for _, w := range part.Windows {
		p.spans = append(p.spans, newSpan(w))
	}
	for _, s := range p.streams {
		s.SetLists(p)
	}
	return p
}

// State returns how far the lists have been read for a stream of the pass.
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
		Relisting:  p.relist && len(windows) > 0 || s.NeedsRelist && len(windows) == 0,
		Pending:    p.pending,
	}
}

// Fraction returns the part of the pass's range that has been covered, by time.
func (p *pass) Fraction() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.spans) == 0 || p.to <= p.from {
		return 1
	}
	var remaining int64
	for _, s := range p.spans {
		if s.Clock == "" {
			remaining += s.Remaining()
		}
	}
	return 1 - float64(remaining)/float64(p.to-p.from)
}

// remove removes a span that has been read to its end.
func (p *pass) remove(s *span) {
	p.spans = slices.DeleteFunc(p.spans, func(other *span) bool { return other == s })
}

// canSplit reports whether the pass is estimated to be large enough for one more split.
func (p *pass) canSplit() bool {
	pages := float64(p.pages)
	for _, s := range p.spans {
		pages += s.pagesLeft()
	}
	return float64(p.splits+1)*pagesPerSplit <= pages
}

// unassigned returns the newest span that no worker has, or nil.
func (p *pass) unassigned() *span {
	var newest *span
	for _, s := range p.spans {
		if !s.taken && (newest == nil || s.To > newest.To) {
			newest = s
		}
	}
	return newest
}
