package backfill

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/plan"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Backfill reads the lists of one round of a Read.
type Backfill struct {
	reader      *family.Reader
	permits     Permits
	newestFirst bool
	workers     *emit.Group

	mu       sync.Mutex // guards the mutable fields of the passes, and the fields below
	passes   []*pass
	active   int  // number of workers
	assigned bool // whether any worker has been assigned a span
}

// New returns a Backfill of some parts of a plan. If newestFirst is set, it reads the newest objects first even if that
// takes longer.
func New(reader *family.Reader, permits Permits, newestFirst bool, parts []plan.Part) *Backfill {
	b := &Backfill{reader: reader, permits: permits, newestFirst: newestFirst}
	for _, part := range parts {
		b.passes = append(b.passes, newPass(reader.Table, part, reader.Live, &b.mu))
	}
	return b
}

// Run reads the lists. Each stream then fails, completes, or enters its next phase; if the Read was asked to stop, streams
// with something left to read stay in phase Listing. An error ends the Read.
func (b *Backfill) Run(ctx context.Context) error {
	workers, workCtx := emit.NewGroup(ctx)
	b.workers = workers
	first, span := b.next()
	workers.Go(func() error { return b.work(workCtx, first, span) })
	for range firstWorkers - 1 {
		b.recruit(workCtx)
	}
	return workers.Wait()
}

// begin reports that the streams of a pass are being read. It does so once, before anything else is sent for them.
func (b *Backfill) begin(ctx context.Context, p *pass) (err error) {
	p.begin.Do(func() {
		for _, s := range p.streams {
			if err = s.Begin(ctx); err != nil {
				return
			}
		}
	})
	return err
}

// read pages through a span. It commits each page before it requests the next, so that a worker holds one page in memory,
// however slow the receiver is. It returns nil early if the pass has failed or the Read was asked to stop, but never before
// the first page, so that even a Read with a short deadline makes progress.
func (b *Backfill) read(ctx context.Context, p *pass, s *span) error {
	pager := newPager(b.reader, p.family)
	for pages := 0; ; pages++ {
		w, failed := b.position(p, s)
		if failed || pages > 0 && b.reader.Emitter.Stopped() {
			return nil
		}
		page, err := pager.page(ctx, w)
		if api.IsCursorGone(err) && w.After != "" {
			b.restart(s)
			if err := pager.Restart(p.root); err != nil {
				return err
			}
			continue
		}
		if g, ok := errors.AsType[*gap](err); ok {
			return b.skip(ctx, p, s, g)
		}
		if err != nil {
			return err
		}
		objects, last := b.arrive(p, s, page)
		if err := b.commit(ctx, p, s, page, objects, last); err != nil {
			return err
		}
		if b.reader.Emitter.Full() {
			b.reader.Emitter.CutShort() // otherwise each worker would send another page
		}
		if last {
			return nil
		}
		b.recruit(ctx)
	}
}

// skip sets aside the gap in a span. The span continues above and below it.
func (b *Backfill) skip(ctx context.Context, p *pass, s *span, at *gap) error {
	g := b.reader.Page(p.streams, p.from, p.to)
	if err := g.Gather(ctx, p.family, at.neighbors, table.Place{}, at.asOf); err != nil {
		return err
	}
	h := g.Harvest()
	h.SetAside(p.streams, state.Item{From: at.second, To: at.second + 1}, at.cause)
	return h.Commit(ctx, b.reader.Emitter, p.streams, emit.Commit{
		Streams: selected.EmitStreams(p.streams),
		Advance: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			p.id.Sequence++
			p.remove(s)
			for _, rest := range at.remaining(s.Window) {
				p.spans = append(p.spans, newSpan(rest))
			}
		},
	})
}

// portion is the number of objects to gather, with their descendants, before part of a page may be committed.
const portion = 16

// longCommit is how long objects are gathered before the complete ones are committed. A page whose objects need requests of
// their own takes seconds, and a client that is killed sooner must still make progress.
const longCommit = 250 * time.Millisecond

// commit sends the records of a page and moves the span past its objects. A page that takes long is committed in parts.
func (b *Backfill) commit(ctx context.Context, p *pass, s *span, page *api.Page, objects []rawjson.Object, last bool) error {
	step := len(objects)
	if len(p.family.Children) > 0 && (!last || p.root.Cursor != "") { // a list without a cursor can't resume in the middle
		step = portion
	}
	for done := 0; ; {
		g, began, end := b.reader.Page(p.streams, p.from, p.to), time.Now(), done
		for end == done || end < len(objects) && (time.Since(began) < longCommit || objects[end-1].ID == "") {
			next := min(end+step, len(objects))
			if err := g.Gather(ctx, p.family, objects[end:next], table.Place{}, page.AsOf); err != nil {
				return err
			}
			if end = next; end == len(objects) {
				break
			}
		}
		part, whole := objects[done:end], end == len(objects)
		err := g.Harvest().Commit(ctx, b.reader.Emitter, p.streams, emit.Commit{
			Streams: selected.EmitStreams(p.streams),
			Advance: func() {
				b.advance(p, s, part, last && whole)
				b.markRead(p)
			},
		})
		if err != nil || whole {
			return err
		}
		done = end
	}
}

// markRead records that the streams of a pass were just read.
func (b *Backfill) markRead(p *pass) {
	for _, s := range p.streams {
		s.MarkRead(clock.Of(b.reader.Now()))
	}
}

// position returns the window that is left of a span, and reports whether its pass has failed.
func (b *Backfill) position(p *pass, s *span) (w state.Window, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.Window, p.err != nil
}

// restart makes a span resume without its cursor, whose object is gone.
func (b *Backfill) restart(s *span) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Window = s.WithoutCursor()
}

// arrive records the arrival of a page. It returns the objects that belong to the span and reports whether they are the
// last.
func (b *Backfill) arrive(p *pass, s *span, page *api.Page) ([]rawjson.Object, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.pages++
	return s.arrive(p.root, page.Objects, page.HasMore)
}

// advance records that the objects of a page were sent.
func (b *Backfill) advance(p *pass, s *span, objects []rawjson.Object, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.id.Sequence++
	if last {
		p.remove(s)
		return
	}
	s.committed(p.root, objects[len(objects)-1])
}

// endPass ends a pass: its streams fail with err, or enter their next phase.
func (b *Backfill) endPass(ctx context.Context, p *pass, err error) error {
	if err != nil {
		for _, s := range p.streams {
			if err := s.Out.Fail(ctx, connector.AsFailure(err)); err != nil {
				return err
			}
		}
		return nil
	}
	err = b.reader.Emitter.Commit(ctx, emit.Commit{
		Streams: selected.EmitStreams(p.streams), States: emit.StatesNow, Advance: func() { b.markRead(p) },
	})
	if err != nil {
		return err
	}
	for _, s := range p.streams {
		if err := finishLists(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// finishLists moves a stream whose lists have been read to its next phase.
func finishLists(ctx context.Context, s *selected.Stream) error {
	switch {
	case s.Swept:
		s.Enter(selected.Sweeping)
		return nil
	case s.NeedsRelist:
		s.Enter(selected.Outdated)
		return nil
	}
	s.Enter(selected.Current)
	return s.Out.Complete(ctx)
}

// ReadWindow pages through a window of an endpoint and calls visit for each page, with the objects that were created in the
// window. It skips what Stripe fails to return, and passes it to setAside. It returns emit.ErrStopped if the Read is asked
// to stop before the end.
func ReadWindow(
	ctx context.Context, reader *family.Reader, m *family.Member, w state.Window,
	visit func([]rawjson.Object, *api.Page) error, setAside func(state.Item, *connector.Failure),
) error {
	s, pager := newSpan(w), newPager(reader, m)
	for last := w.From >= w.To; !last; {
		if reader.Emitter.Stopped() {
			return emit.ErrStopped
		}
		page, err := pager.page(ctx, s.Window)
		if api.IsCursorGone(err) && s.After != "" {
			s.Window = s.WithoutCursor()
			if err := pager.Restart(m.Row); err != nil {
				return err
			}
			continue
		}
		if g, ok := errors.AsType[*gap](err); ok {
			setAside(state.Item{From: g.second, To: g.second + 1}, g.cause)
			if err := visit(g.neighbors, &api.Page{List: rawjson.List{Objects: g.neighbors}, AsOf: g.asOf}); err != nil {
				return err
			}
			for _, rest := range g.remaining(s.Window) {
				if err := ReadWindow(ctx, reader, m, rest, visit, setAside); err != nil {
					return err
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
		var objects []rawjson.Object
		objects, last = s.arrive(m.Row, page.Objects, page.HasMore)
		if len(objects) > 0 {
			s.committed(m.Row, objects[len(objects)-1])
		}
		if err := visit(objects, page); err != nil {
			return err
		}
	}
	return nil
}
