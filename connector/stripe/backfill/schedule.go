package backfill

import (
	"context"

	"github.com/stripe-connector/stripe-connector/connector/emit"
)

// A split costs up to one page that isn't full. So a pass may be split once per pagesPerSplit pages, and a span only if it
// has at least minSteal pages left. Both numbers are estimates.
const (
	pagesPerSplit = 25
	minSteal      = 4
)

// extraWorkers is the number of workers in the process, besides the first worker of each Read. Each holds one or two pages
// of a few hundred KB, even while its receiver is blocked.
const extraWorkers = 128

// firstWorkers is the number of workers that a Read starts with, if it has enough endpoints.
const firstWorkers = 4

// Permits limits the number of extra workers in the process.
type Permits chan struct{}

// NewPermits returns the Permits to be shared by all Reads of a process.
func NewPermits() Permits { return make(Permits, extraWorkers) }

func (p Permits) tryAcquire() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p Permits) release() { <-p }

// recruit starts another worker if there is work for one and requests are below the rate that Stripe allows. It is called
// after each page, so the number of workers can double with each round trip.
func (b *Backfill) recruit(ctx context.Context) {
	if !b.permits.tryAcquire() {
		return
	}
	p, s := b.next()
	if s == nil {
		b.permits.release()
		return
	}
	b.workers.Go(func() error {
		defer b.permits.release()
		return b.work(ctx, p, s)
	})
}

// work reads a span to its end, and then other spans, as long as there are any.
func (b *Backfill) work(ctx context.Context, p *pass, s *span) error {
	for ; s != nil; p, s = b.next() {
		if err := b.begin(ctx, p); err != nil {
			return err
		}
		err := b.read(ctx, p, s)
		if err := b.finish(ctx, p, err); err != nil {
			return err
		}
	}
	return nil
}

// next assigns a span to a worker: an unassigned one, or the older part of the one with the most pages left. It returns nil
// if there is nothing to do, if enough requests are in flight to use the rate, or if the Read was asked to stop. The first
// worker gets a span in any case, so that even a Read with a short deadline makes progress.
func (b *Backfill) next() (*pass, *span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.assigned && (b.reader.Emitter.Stopped() || b.active > 0 && b.active >= b.reader.Client.AllWorkers()) {
		return nil, nil
	}
	for _, p := range b.passes {
		if s := p.unassigned(); s != nil && p.err == nil && b.hasRoom(p) {
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
	s.assign()
	p.workers++
	b.active++
	b.assigned = true
	return p, s
}

// hasRoom reports whether the endpoint of a pass has rate left for one more worker.
func (b *Backfill) hasRoom(p *pass) bool {
	return p.workers == 0 || p.workers < b.reader.Client.Workers(p.root.Path)
}

// victim returns the span to split: the one with the most pages left, among those large enough.
func (b *Backfill) victim() (*pass, *span) {
	var from *pass
	var busiest *span
	maximum := float64(minSteal)
	for _, p := range b.passes {
		if p.root.Cursor == "" || p.err != nil || !p.canSplit() || !b.hasRoom(p) {
			continue
		}
		for _, s := range p.spans {
			if left := s.pagesLeft(); s.taken && s.Clock == "" && left >= maximum && s.floor-s.From > 1 {
				from, busiest, maximum = p, s, left
			}
		}
	}
	return from, busiest
}

// finish records that a worker has left a pass, with an error if it failed. It ends the pass once the last worker has left
// and nothing is left to read. Its error ends the Read.
func (b *Backfill) finish(ctx context.Context, p *pass, err error) error {
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
	return b.endPass(ctx, p, failure)
}
