package backfill

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// gap is a second of creation time with an object that Stripe fails to return. The other objects of that second have been
// sent or are in beside.
type gap struct {
	second    clock.Second
	neighbors []rawjson.Object // the objects of that second that follow the one that fails
	asOf      time.Time
	cause     *connector.Failure
}

// Error returns the message of the cause.
func (g *gap) Error() string { return g.cause.Message }

// remaining returns the windows that are left of w without the gap, below and above it.
func (g *gap) remaining(w state.Window) []state.Window {
	var remaining []state.Window
	if w.From < g.second {
		remaining = append(remaining, state.Window{From: w.From, To: g.second})
	}
	above := w
	above.From = g.second + 1
	if w.After == "" && above.From < w.To || w.After != "" && above.From <= w.At {
		remaining = append(remaining, above)
	}
	return remaining
}

// findGap finds the newest object after the position of a window that Stripe fails to return. It searches for the second
// whose list fails although the list of everything created before it doesn't. It returns nil if Stripe serves everything by
// now.
//
// Its requests aren't retried. There can be dozens of them, and nothing is committed meanwhile, so a client that lives for a
// few seconds would never get past the gap.
func (p *pager) findGap(ctx context.Context, w state.Window, cause error) error {
	isServed := func(to clock.Second) (bool, error) {
		path, query := p.query(state.Window{From: w.From, To: to})
		query.Set("limit", "1")
		_, err := p.reader.Client.List(ctx, path, query, api.Probing)
		if api.IsBroken(err) {
			return false, nil
		}
		return err == nil, err
	}
	if empty, err := isServed(w.From); !empty {
		return cmp.Or(err, cause) // even an empty list fails, so no single object is to blame
	}
	good, end, step := w.From, w.To, clock.Second(1)
	if w.After != "" {
		end = w.At + 1 // objects of the same second may come first
	}
	fails := end
	for at := fails - step; at > w.From; at = fails - step {
		served, err := isServed(at)
		if err != nil {
			return err
		}
		if served {
			good = at
			break
		}
		fails, step = at, 2*step
	}
	for fails-good > 1 {
		middle := good + (fails-good)/2
		served, err := isServed(middle)
		switch {
		case err != nil:
			return err
		case served:
			good = middle
		default:
			fails = middle
		}
	}
	if fails != end {
		if served, err := isServed(fails); err != nil || served {
			return err // a request failed by chance, or Stripe serves the object again
		}
	}
	found := &gap{second: good, cause: connector.AsFailure(cause)}
	return p.readNeighbors(ctx, w, found)
}

// maxBeside is the most bytes of objects of a gap's second that are held in memory. The rest of that second is set aside with
// the object that fails.
const maxBeside = 64 << 20

// readNeighbors reads the objects of the gap's second that follow the one that fails, paging backwards from the other side.
func (p *pager) readNeighbors(ctx context.Context, w state.Window, found *gap) error {
	if found.second == w.From {
		return found // nothing is left below to start from
	}
	below, err := p.list(ctx, state.Window{From: w.From, To: found.second}, family.NewPager(1))
	if err != nil || len(below.Objects) == 0 || below.Objects[0].ID == "" {
		return gapOr(err, found)
	}
	sizes := family.NewPager(p.reader.PageSize)
	held := 0
	for before := below.Objects[0].ID; ; {
		path, query := p.query(state.Window{From: w.From, To: found.second + 1})
		query.Set("ending_before", before)
		page, err := p.reader.List(ctx, path, query, sizes)
		if err != nil || len(page.Objects) == 0 || page.Objects[0].ID == before || page.Objects[0].ID == "" {
			return gapOr(err, found)
		}
		sent := slices.IndexFunc(page.Objects, func(object rawjson.Object) bool { return object.ID == w.After })
		found.neighbors, found.asOf = append(page.Objects[sent+1:], found.neighbors...), page.AsOf
		for _, object := range page.Objects {
			held += len(object.Raw)
		}
		if !page.HasMore || sent >= 0 || held > maxBeside {
			return found
		}
		before = page.Objects[0].ID
	}
}

// gapOr returns the gap, or err if it concerns more than the gap.
func gapOr(err error, found *gap) error {
	if err == nil || api.IsBroken(err) || api.IsCursorGone(err) {
		return found
	}
	return err
}
