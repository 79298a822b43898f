package stripe

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// backfill pages through what is left of a pass, and emits each page before it asks for the next: so one page is in
// memory, however slow the receiver.
func (r *run) backfill(ctx context.Context, p *pass) error {
	for len(p.windows) > 0 {
		w := p.windows[0]
		page, err := r.page(ctx, p, w)
		if api.IsCursorGone(err) && w.After != "" {
			r.emitter.locked(func() { p.windows[0] = w.withoutCursor() })
			continue
		}
		if err != nil {
			return err
		}
		g := r.gatherer(p)
		if err := g.gather(ctx, p.family, page.Objects, place{}, page.AsOf); err != nil {
			return err
		}
		if err := r.emitter.page(ctx, p, g.harvest, func() { p.advance(page) }); err != nil {
			return err
		}
	}
	return nil
}

// page reads the next page of a window.
func (r *run) page(ctx context.Context, p *pass, w window) (*api.Page, error) {
	if p.root.TestOnly && r.mode == "live" {
		return nil, testOnly()
	}
	path, query := p.family.list(place{})
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

// advance notes that a page of the first window was emitted.
func (p *pass) advance(page *api.Page) {
	p.id.Sequence++
	if !page.HasMore {
		p.windows = p.windows[1:]
		return
	}
	last := page.Objects[len(page.Objects)-1]
	w := &p.windows[0]
	w.After, w.At = strings.Clone(last.ID), p.root.createdAt(last) // a part of the page would keep all of it in memory
	if w.At < w.From || w.At >= w.To {
		w.At = 0 // a list that Stripe does not order by created
	}
}

// withoutCursor gives what is left of a window whose last object was deleted: it begins again with the second in which
// that was created, of which some objects then come twice.
func (w window) withoutCursor() window {
	if w.At != 0 {
		return window{From: w.From, To: w.At + 1}
	}
	return window{From: w.From, To: w.To}
}

// state gives what a stream of the pass is to go on from.
func (p *pass) state(out *output, mode string) state {
	windows := p.windows
	if windows == nil {
		windows = []window{}
	}
	return state{
		Version:    stateVersion,
		Mode:       mode,
		Generation: out.generation,
		From:       p.from,
		To:         p.to,
		Pass:       p.id,
		Windows:    windows,
	}
}

// fraction gives the part of the pass's range that is covered, by time.
func (p *pass) fraction() float64 {
	if len(p.windows) == 0 || p.to <= p.from {
		return 1
	}
	var rest int64
	for _, w := range p.windows {
		rest += w.rest()
	}
	return 1 - float64(rest)/float64(p.to-p.from)
}

// testOnly is the failure of reading with a live key what only test mode has.
func testOnly() error {
	return &connector.Failure{
		Class:   connector.PermissionError,
		Message: "Stripe has these objects in test mode only: leave the stream out, or use a test key.",
	}
}
