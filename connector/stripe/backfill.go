package stripe

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// backfill pages through a span, and emits each page before it asks for the next: so a worker holds one page in memory,
// however slow the receiver. It ends early, without an error, when the pass failed, or ends after a page that every
// worker may read: so a Read gets on however soon it is to end.
func (r *run) backfill(ctx context.Context, p *pass, s *span) error {
	for pages := 0; ; pages++ {
		w, err := r.position(p, s)
		if err != nil && (pages > 0 || !errors.Is(err, errEnough)) {
			return nil
		}
		page, err := r.page(ctx, p, w)
		if api.IsCursorGone(err) && w.After != "" {
			r.restart(s)
			continue
		}
		if err != nil {
			return err
		}
		objects, last := r.arrive(p, s, page)
		g := r.gatherer(p)
		if err := g.gather(ctx, p.family, objects, place{}, page.AsOf); err != nil {
			return err
		}
		if err := r.emitter.page(ctx, p, g.harvest, func() { r.advance(p, s, objects, last) }); err != nil {
			return err
		}
		if r.recordLimit > 0 && r.emitter.sent() >= r.recordLimit {
			r.enough()
			r.cutShort() // else each worker would add a page
		}
		if last {
			return nil
		}
		r.recruit(ctx)
	}
}

// position tells where a span goes on, and why its pass ends, if it does.
func (r *run) position(p *pass, s *span) (window, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.window, p.err
}

// restart lets a span go on without its cursor, whose object is gone.
func (r *run) restart(s *span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.window = s.withoutCursor()
	s.take()
}

// arrive notes that a page came and gives those of its objects that are still to be emitted here.
func (r *run) arrive(p *pass, s *span, page *api.Page) ([]rawjson.Object, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.pages++
	return s.arrive(p.root, page.Objects, page.HasMore)
}

// advance notes that the objects of a page were emitted.
func (r *run) advance(p *pass, s *span, objects []rawjson.Object, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.id.Sequence++
	p.note(objects)
	if last {
		p.remove(s)
		return
	}
	s.emitted(p.root, objects[len(objects)-1])
}

// page reads the next page of a window.
func (r *run) page(ctx context.Context, p *pass, w window) (*api.Page, error) {
	if p.root.TestOnly && r.mode == "live" {
		return nil, testOnly()
	}
	path, query := p.family.list(place{pageSize: r.pageSize})
	if p.root.Cursor != "" {
		query.Set("created[gte]", strconv.FormatInt(int64(w.From), 10))
		query.Set("created[lt]", strconv.FormatInt(int64(w.To), 10))
	}
	if w.After != "" {
		query.Set("starting_after", w.After)
	}
	page, err := r.client.List(ctx, path, query)
	if err != nil {
		return nil, err
	}
	if page.HasMore && (len(page.Objects) == 0 || page.Objects[len(page.Objects)-1].ID == "") {
		return nil, strange(p.root, fmt.Sprintf("a page of %s says that more follow, and has no last object", path))
	}
	return page, nil
}

// testOnly is the failure of reading with a live key what only test mode has.
func testOnly() error {
	return &connector.Failure{
		Class:   connector.PermissionError,
		Message: "Stripe has these objects in test mode only: leave the stream out, or use a test key.",
	}
}
