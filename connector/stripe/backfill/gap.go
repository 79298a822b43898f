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

// gap is a second of creation with an object that Stripe cannot show. What it can show of that second was sent, or is beside.
type gap struct {
	second clock.Second
	beside []rawjson.Object // those of the second that come after the object
	asOf   time.Time
	cause  *connector.Failure
}

// Error says why there is a gap.
func (g *gap) Error() string { return g.cause.Message }

// rests returns what is left of a window without the gap: what lies below it, and above it.
func (g *gap) rests(w state.Window) []state.Window {
	var rests []state.Window
	if w.From < g.second {
		rests = append(rests, state.Window{From: w.From, To: g.second})
	}
	above := w
	above.From = g.second + 1
	if w.After == "" && above.From < w.To || w.After != "" && above.From <= w.At {
		rests = append(rests, above)
	}
	return rests
}

// findGap finds the newest object behind the position of a window that Stripe cannot show: a second whose list begins with it,
// while what was created before can be shown.
func (p *pager) findGap(ctx context.Context, w state.Window, cause error) error {
	shows := func(to clock.Second) (bool, error) {
		path, query := p.query(state.Window{From: w.From, To: to})
		query.Set("limit", "1")
		_, err := p.reader.Client.List(ctx, path, query, api.Expendable)
		if api.IsBroken(err) {
			return false, nil
		}
		return err == nil, err
	}
	if empty, err := shows(w.From); !empty {
		return cmp.Or(err, cause) // not even an empty list is shown: it is not about an object
	}
	good, fails, step := w.From, w.To, clock.Second(1)
	if w.After != "" {
		fails = w.At + 1 // those of the same second may come first
	}
	for at := fails - step; at > w.From; at = fails - step {
		shown, err := shows(at)
		if err != nil {
			return err
		}
		if shown {
			good = at
			break
		}
		fails, step = at, 2*step
	}
	for fails-good > 1 {
		middle := good + (fails-good)/2
		shown, err := shows(middle)
		switch {
		case err != nil:
			return err
		case shown:
			good = middle
		default:
			fails = middle
		}
	}
	found := &gap{second: good, cause: connector.AsFailure(cause)}
	return p.beside(ctx, w, found)
}

// beside reads what comes after the object of a gap in its second, from the other side.
func (p *pager) beside(ctx context.Context, w state.Window, found *gap) error {
	if found.second == w.From {
		return found // there is nothing to begin with
	}
	below, err := p.list(ctx, state.Window{From: w.From, To: found.second}, family.NewPager(1))
	if err != nil || len(below.Objects) == 0 || below.Objects[0].ID == "" {
		return orFound(err, found)
	}
	sizes := family.NewPager(p.reader.PageSize)
	for before := below.Objects[0].ID; ; {
		path, query := p.query(state.Window{From: w.From, To: found.second + 1})
		query.Set("ending_before", before)
		page, err := p.reader.List(ctx, path, query, sizes)
		if err != nil || len(page.Objects) == 0 || page.Objects[0].ID == before || page.Objects[0].ID == "" {
			return orFound(err, found)
		}
		sent := slices.IndexFunc(page.Objects, func(object rawjson.Object) bool { return object.ID == w.After })
		found.beside, found.asOf = append(page.Objects[sent+1:], found.beside...), page.AsOf
		if !page.HasMore || sent >= 0 {
			return found
		}
		before = page.Objects[0].ID
	}
}

// orFound returns the gap, unless an error concerns more than that.
func orFound(err error, found *gap) error {
	if err == nil || api.IsBroken(err) || api.IsCursorGone(err) {
		return found
	}
	return err
}
