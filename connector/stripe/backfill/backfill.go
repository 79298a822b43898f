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

	mu       sync.Mutex // guards what the passes have left, and what follows
	passes   []*pass
	active   int  // workers
	assigned bool // a worker has had something to do
}

// New returns the Backfill of some parts of a plan. With newestFirst, the newest objects come first where that costs time.
func New(reader *family.Reader, permits Permits, newestFirst bool, parts []plan.Part) *Backfill {
	b := &Backfill{reader: reader, permits: permits, newestFirst: newestFirst}
	for _, part := range parts {
		b.passes = append(b.passes, newPass(reader.Table, part, reader.Live, &b.mu))
	}
	return b
}

// Run reads the lists, and says of each stream what became of it: it fails, is complete, or goes to the phase that follows.
// Streams with something left to read stay in the phase Listing if the Read was asked to stop. An error ends the Read.
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

// begin says, once and before anything else of it is sent, that the streams of a pass are being read.
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

// read pages through a span, and commits each page before it requests the next: so a worker holds one page in memory, however
// slow the receiver. It ends early, without an error, when the pass failed or the Read is to stop, but not before its first
// page: so a Read makes progress however soon it is to end.
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
			b.reader.Emitter.CutShort() // else each worker would add a page
		}
		if last {
			return nil
		}
		b.recruit(ctx)
	}
}

// skip sets the gap of a span aside, which then goes on above and below it.
func (b *Backfill) skip(ctx context.Context, p *pass, s *span, at *gap) error {
	g := b.reader.Page(p.streams, p.from, p.to)
	if err := g.Gather(ctx, p.family, at.beside, table.Place{}, at.asOf); err != nil {
		return err
	}
	h := g.Harvest()
	h.SetAside(p.streams, state.Item{From: at.second, To: at.second + 1}, at.cause)
	return h.Commit(ctx, b.reader.Emitter, p.streams, emit.Commit{
		Streams: selected.Outs(p.streams),
		Advance: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			p.id.Sequence++
			p.note(at.beside)
			p.remove(s)
			for _, rest := range at.rests(s.Window) {
				p.spans = append(p.spans, newSpan(rest))
			}
		},
	})
}

// portion is how many objects of a page, with what is below them, are gathered before a part of the page may be committed.
const portion = 16

// longCommit is how long objects are gathered before those that are complete are committed: a page whose objects need requests
// of their own takes seconds, and a client that lives no longer than that has to make progress, too.
const longCommit = 250 * time.Millisecond

// commit sends what the objects of a page yield, and moves the span over them. A page that takes long is committed in parts.
func (b *Backfill) commit(ctx context.Context, p *pass, s *span, page *api.Page, objects []rawjson.Object, last bool) error {
	step := len(objects)
	if len(p.family.Children) > 0 && (!last || p.root.Cursor != "") { // a list without cursors is not resumed in its middle
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
			Streams: selected.Outs(p.streams),
			Advance: func() {
				b.advance(p, s, part, last && whole)
				b.readNow(p)
			},
		})
		if err != nil || whole {
			return err
		}
		done = end
	}
}

// readNow notes that records of the streams of a pass were read.
func (b *Backfill) readNow(p *pass) {
	for _, s := range p.streams {
		s.MarkRead(clock.Of(b.reader.Now()))
	}
}

// position returns where a span resumes, and reports whether its pass failed.
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

// arrive notes that a page arrived.
func (b *Backfill) arrive(p *pass, s *span, page *api.Page) ([]rawjson.Object, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.pages++
	return s.arrive(p.root, page.Objects, page.HasMore)
}

// advance notes that the objects of a page were sent.
func (b *Backfill) advance(p *pass, s *span, objects []rawjson.Object, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.id.Sequence++
	p.note(objects)
	if last {
		p.remove(s)
		return
	}
	s.committed(p.root, objects[len(objects)-1])
}

// end says what became of the streams of a pass that failed, or whose lists are read.
func (b *Backfill) end(ctx context.Context, p *pass, err error) error {
	if err != nil {
		for _, s := range p.streams {
			if err := s.Out.Fail(ctx, connector.AsFailure(err)); err != nil {
				return err
			}
		}
		return nil
	}
	err = b.reader.Emitter.Commit(ctx, emit.Commit{
		Streams: selected.Outs(p.streams), States: emit.StatesNow, Advance: func() { b.readNow(p) },
	})
	if err != nil {
		return err
	}
	for _, s := range p.streams {
		if err := listed(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// listed moves a stream whose lists are read to its next phase.
func listed(ctx context.Context, s *selected.Stream) error {
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

// ReadWindow pages through a window of an endpoint, and visits the objects of each page that were created in it. It goes on
// without what Stripe cannot show, which it passes to lacks. It returns emit.ErrStopped if the Read is to stop before the end.
func ReadWindow(
	ctx context.Context, reader *family.Reader, m *family.Member, w state.Window,
	visit func([]rawjson.Object, *api.Page) error, lacks func(state.Item, *connector.Failure),
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
			lacks(state.Item{From: g.second, To: g.second + 1}, g.cause)
			if err := visit(g.beside, &api.Page{List: rawjson.List{Objects: g.beside}, AsOf: g.asOf}); err != nil {
				return err
			}
			for _, rest := range g.rests(s.Window) {
				if err := ReadWindow(ctx, reader, m, rest, visit, lacks); err != nil {
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
