package stripe

import (
	"slices"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// pass is one reading of one endpoint, for all selected streams that live on it: the endpoint's own and the children
// that its objects carry.
type pass struct {
	root     *stream
	family   *member // root and those of its descendants that are needed
	outputs  []*output
	from, to second
	begin    sync.Once

	mu      *sync.Mutex // the run's: guards what follows
	id      passID
	spans   []*span // what is left, whether a worker has it or not
	pages   int     // that arrived
	splits  int
	workers int    // how many read spans of the pass
	pending second // the creation of the oldest object that came and can still change without an event; 0 for none
	err     error  // why it failed
}

// remove takes a span that was read to its end out of what is left.
func (p *pass) remove(s *span) {
	p.spans = slices.DeleteFunc(p.spans, func(other *span) bool { return other == s })
}

// ended tells whether nobody reads the pass and nobody will.
func (p *pass) ended() bool { return p.workers == 0 && (p.err != nil || len(p.spans) == 0) }

// maySplit tells whether the pass is large enough, by estimate, for one split more.
func (p *pass) maySplit() bool {
	pages := float64(p.pages)
	for _, s := range p.spans {
		pages += s.pagesLeft()
	}
	return float64(p.splits+1)*pagesPerSplit <= pages
}

// waiting gives a span that no worker has, the newest first; nil if there is none.
func (p *pass) waiting() *span {
	var newest *span
	for _, s := range p.spans {
		if !s.taken && (newest == nil || s.To > newest.To) {
			newest = s
		}
	}
	return newest
}

// state gives what a stream of the pass is to go on from.
func (p *pass) state(out *output, mode string) state {
	p.mu.Lock()
	defer p.mu.Unlock()
	windows := make([]window, len(p.spans))
	for i, s := range p.spans {
		windows[i] = s.window
	}
	return state{
		Version:    stateVersion,
		Mode:       mode,
		Generation: out.generation,
		From:       p.from,
		To:         p.to,
		Pass:       p.id,
		Windows:    windows,
		Pending:    p.pending,
		Changes:    out.changes,
	}
}

// fraction gives the part of the pass's range that is covered, by time.
func (p *pass) fraction() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.spans) == 0 || p.to <= p.from {
		return 1
	}
	var rest int64
	for _, s := range p.spans {
		rest += s.rest()
	}
	return 1 - float64(rest)/float64(p.to-p.from)
}

// note remembers the oldest object of a page that can still change without an event.
func (p *pass) note(objects []rawjson.Object) {
	if p.root.PendingField == "" {
		return
	}
	for _, object := range objects {
		value, _ := rawjson.Lookup(object.Raw, p.root.PendingField)
		if at := p.root.createdAt(object); rawjson.String(value) == p.root.PendingValue && (p.pending == 0 || at < p.pending) {
			p.pending = at
		}
	}
}

// touched tells whether the pass emitted anything.
func (p *pass) touched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id.Sequence > 0
}
