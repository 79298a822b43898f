package stripe

import (
	"context"
	"errors"
)

// Each split costs up to one page that is not full. So a pass may split its spans once for so many of its pages, and
// only those that have some pages left; both by estimate.
const (
	pagesPerSplit = 25
	leastSteal    = 4
)

// extraWorkers is how many workers beyond the first of each Read there may be in the process. Each holds a page or two
// of some hundred KB, also while its receiver does not read.
const extraWorkers = 128

// firstWorkers is how many workers a Read begins with, if it has as many endpoints to read.
const firstWorkers = 4

// permits are the right to be one of the extra workers.
type permits chan struct{}

func (p permits) try() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p permits) giveBack() { <-p }

// recruit adds a worker to the Read, if there is work for one and the rate that Stripe allows is not used yet. It is
// called after each page, so the number of workers can double with each round trip.
func (r *run) recruit(ctx context.Context) {
	if !r.permits.try() {
		return
	}
	p, s := r.next()
	if s == nil {
		r.permits.giveBack()
		return
	}
	r.workers.Go(func() error {
		defer r.permits.giveBack()
		return r.work(ctx, p, s)
	})
}

// work reads a span to its end, and then others, as long as there are any.
func (r *run) work(ctx context.Context, p *pass, s *span) error {
	for ; s != nil; p, s = r.next() {
		if err := r.begin(ctx, p); err != nil {
			return err
		}
		err := r.backfill(ctx, p, s)
		if err := r.release(ctx, p, err); err != nil {
			return err
		}
	}
	return nil
}

// next takes a span for a worker: one that nobody reads, or the older part of the one with the most pages left. It
// gives nil if there is nothing to do, or if enough requests are in flight to use the rate.
func (r *run) next() (*pass, *span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active >= r.client.AllWorkers() && r.active > 0 {
		return nil, nil
	}
	for _, p := range r.passes {
		if s := p.waiting(); s != nil && p.err == nil && r.room(p) {
			return r.assign(p, s)
		}
	}
	p, victim := r.victim()
	if victim == nil {
		return nil, nil
	}
	older := victim.split(r.newestFirst)
	p.spans = append(p.spans, older)
	p.splits++
	return r.assign(p, older)
}

func (r *run) assign(p *pass, s *span) (*pass, *span) {
	s.take()
	p.workers++
	r.active++
	return p, s
}

// room tells whether the endpoint of a pass has rate left for one more worker.
func (r *run) room(p *pass) bool { return p.workers == 0 || p.workers < r.client.Workers(p.root.Path) }

// victim finds the span with the most pages left, among those worth splitting.
func (r *run) victim() (*pass, *span) {
	var from *pass
	var busiest *span
	most := float64(leastSteal)
	for _, p := range r.passes {
		if p.root.Cursor == "" || p.err != nil || !p.maySplit() || !r.room(p) {
			continue
		}
		for _, s := range p.spans {
			if left := s.pagesLeft(); s.taken && left >= most && s.floor-s.From > 1 {
				from, busiest, most = p, s, left
			}
		}
	}
	return from, busiest
}

// begin tells, once and before anything else of it is sent, that the streams of a pass are being read.
func (r *run) begin(ctx context.Context, p *pass) (err error) {
	p.begin.Do(func() { err = r.emitter.begin(ctx, p) })
	return err
}

// release notes that a worker left a pass, with an error if it failed, and tells what became of the pass once the last
// one left. Its error ends the Read.
func (r *run) release(ctx context.Context, p *pass, err error) error {
	r.mu.Lock()
	r.active--
	p.workers--
	if p.err == nil {
		p.err = err
	}
	if len(p.spans) == 0 && errors.Is(p.err, errEnough) {
		p.err = nil // the page in hand was its last
	}
	ended, failure := p.ended(), p.err
	r.mu.Unlock()
	switch {
	case errors.Is(failure, errEnough):
		return nil // see leave; err is at most that the wait for an answer was cut short
	case ends(err):
		return err
	case !ended:
		return nil
	}
	return r.emitter.finish(ctx, p, failure)
}
