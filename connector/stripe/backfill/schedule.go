package backfill

import (
	"context"

	"github.com/stripe-connector/stripe-connector/connector/emit"
)

// Each split costs up to one page that is not full. So a pass may split its spans once for so many of its pages, and only
// those that have some pages left; both by estimate.
const (
	pagesPerSplit = 25
	leastSteal    = 4
)

// extraWorkers is how many workers beyond the first of each Read there may be in the process. Each holds a page or two of
// some hundred KB, also while its receiver does not read.
const extraWorkers = 128

// firstWorkers is how many workers a Read begins with, if it has as many endpoints to read.
const firstWorkers = 4

// Permits are the right to be one of the extra workers of the process.
type Permits chan struct{}

// NewPermits returns the permits that all Reads of a process share.
func NewPermits() Permits { return make(Permits, extraWorkers) }

func (p Permits) try() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p Permits) giveBack() { <-p }

// recruit adds a worker, if there is work for one and the rate that Stripe allows is not used yet. It is called after each
// page, so the number of workers can double with each round trip.
func (b *Backfill) recruit(ctx context.Context) {
	if !b.permits.try() {
		return
	}
	p, s := b.next()
	if s == nil {
		b.permits.giveBack()
		return
	}
	b.workers.Go(func() error {
		defer b.permits.giveBack()
		return b.work(ctx, p, s)
	})
}

// work reads a span to its end, and then others, as long as there are any.
func (b *Backfill) work(ctx context.Context, p *pass, s *span) error {
	for ; s != nil; p, s = b.next() {
		if err := b.begin(ctx, p); err != nil {
			return err
		}
		err := b.read(ctx, p, s)
		if err := b.release(ctx, p, err); err != nil {
			return err
		}
	}
	return nil
}

// next takes a span for a worker: one that nobody reads, or the older part of the one with the most pages left. It returns
// nil if there is nothing to do, if enough requests are in flight to use the rate, or if the Read is to stop. The first worker
// gets a span even then, so that a Read makes progress however soon it is to end.
func (b *Backfill) next() (*pass, *span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.assigned && (b.reader.Emitter.Stopped() || b.active > 0 && b.active >= b.reader.Client.AllWorkers()) {
		return nil, nil
	}
	for _, p := range b.passes {
		if s := p.waiting(); s != nil && p.err == nil && b.room(p) {
			return b.assign(p, s)
		}
	}
	p, victim := b.victim()
	if victim == nil {
		return nil, nil
	}
	older := victim.split(b.newestFirst)
	p.spans = append(p.spans, older)
	p.splits++
	return b.assign(p, older)
}

func (b *Backfill) assign(p *pass, s *span) (*pass, *span) {
	s.take()
	p.workers++
	b.active++
	b.assigned = true
	return p, s
}

// room reports whether the endpoint of a pass has rate left for one more worker.
func (b *Backfill) room(p *pass) bool {
	return p.workers == 0 || p.workers < b.reader.Client.Workers(p.root.Path)
}

// victim returns the span with the most pages left, among those worth splitting.
func (b *Backfill) victim() (*pass, *span) {
	var from *pass
	var busiest *span
	most := float64(leastSteal)
	for _, p := range b.passes {
		if p.root.Cursor == "" || p.err != nil || !p.maySplit() || !b.room(p) {
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

// release notes that a worker left a pass, with an error if it failed, and ends the pass once the last worker left and nothing
// is left to read. Its error ends the Read.
func (b *Backfill) release(ctx context.Context, p *pass, err error) error {
	b.mu.Lock()
	b.active--
	p.workers--
	if p.err == nil {
		p.err = err
	}
	ended, failure := p.workers == 0 && (p.err != nil || len(p.spans) == 0), p.err
	b.mu.Unlock()
	switch {
	case emit.EndsRead(err):
		return err
	case !ended:
		return nil
	}
	return b.end(ctx, p, failure)
}
