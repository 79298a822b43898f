package changes

import (
	"context"
	"errors"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/backfill"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// errPassed stops backfill.ReadWindow after the first page.
var errPassed = errors.New("one page was read")

// pass does the work of next for a page that Stripe can't return. It finds the event responsible, and returns the events of the same
// second that follow it. The listing then continues with the second before.
func (l *listing) pass(ctx context.Context) (events []Event, more bool, err error) {
	var cause *connector.Failure
	var second clock.Second
	visit := func(_ []rawjson.Object, page *api.Page) error {
		if events, more, err = l.arrive(page); err != nil {
			return err
		}
		if cause != nil {
			l.until, l.after, l.at, l.pager = second, "", 0, nil
			more = l.from < l.until
		}
		return errPassed
	}
	setAside := func(t state.Item, failure *connector.Failure) { second, cause = t.From, failure }
	all := &family.Member{Row: l.reader.Table.Find("events")}
	w := state.Window{From: l.from, To: l.until, After: l.after, At: l.at}
	if err := backfill.ReadWindow(ctx, l.reader, all, w, visit, setAside); err != nil && !errors.Is(err, errPassed) {
		return nil, false, err
	}
	if cause != nil {
		return events, more, l.unreadable(ctx, second, cause)
	}
	return events, more, nil
}

// warnUnreadable warns, once in a Read, that Stripe can't return an event of a second.
func warnUnreadable(ctx context.Context, e *emit.Emitter, second clock.Second, cause *connector.Failure) error {
	message := fmt.Sprintf("Stripe can't return an event created at %s. Unless that changes, the row of its object stays stale until the object changes again: run reconcile or a full refresh. %s",
		second, cause.Message)
	return e.LogOnce(ctx, "event at "+second.String(), connector.Warning, message)
}

// unreadable warns that Stripe can't return an event of a second. A stream of events sets it aside. For the other streams, the
// sweeps look for it until the overlap has passed.
func (s *sweep) unreadable(ctx context.Context, second clock.Second, cause *connector.Failure) error {
	if s.lost[second] {
		return nil
	}
	s.lost[second] = true
	if err := warnUnreadable(ctx, s.reader.Emitter, second, cause); err != nil {
		return err
	}
	return s.setAside(ctx, second, cause)
}

// setAside sets aside a second for streams of events.
func (s *sweep) setAside(ctx context.Context, second clock.Second, cause *connector.Failure) error {
	h := family.NewHarvest(family.Cause{}, nil)
	for _, stream := range s.streams {
		if stream.Row.AppendOnly() {
			h.SetAside([]*selected.Stream{stream}, state.Item{From: second, To: second + 1}, cause)
		}
	}
	return h.Commit(ctx, s.reader.Emitter, s.streams, emit.Commit{})
}
