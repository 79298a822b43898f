package changes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/backfill"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// errTooLong ends a listing that is longer than what is held in memory.
var errTooLong = errors.New("the stretch is too long")

// around lists a stretch of time without an event that Stripe can't show. Like list, it may return a width instead of events.
func (s *sweep) around(ctx context.Context, stretch ledger.Range) (events []Event, width int64, err error) {
	m := &family.Member{Row: s.reader.Table.Find("events")}
	w := state.Window{From: clock.Second(stretch.From), To: clock.Second(stretch.Until)}
	lost := map[clock.Second]*connector.Failure{}
	visit := func(objects []rawjson.Object, _ *api.Page) error {
		for _, object := range objects {
			events = append(events, parseEvent(object))
		}
		if len(events) > maxPages*s.reader.PageSize && stretch.Until-stretch.From > 1 {
			return errTooLong
		}
		return nil
	}
	lacks := func(t state.Item, cause *connector.Failure) { lost[t.From] = cause }
	err = backfill.ReadWindow(ctx, s.reader, m, w, visit, lacks)
	if errors.Is(err, errTooLong) {
		return nil, (stretch.Until - stretch.From) / 2, nil
	}
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(b.Created, a.Created) })
	for second, cause := range lost {
		if err := s.lose(ctx, second, cause); err != nil {
			return nil, 0, err
		}
	}
	return events, 0, nil
}

// lose says, once in a Read, that Stripe can't show an event of a second. The stream of the events sets it aside. For other
// streams, it is looked for as long as any event may become visible.
func (s *sweep) lose(ctx context.Context, second clock.Second, cause *connector.Failure) error {
	if s.lost[second] {
		return nil
	}
	s.lost[second] = true
	message := fmt.Sprintf("Stripe cannot show an event created at %s. If that stays so, the row that it is about is stale until the object changes again: run reconcile. %s",
		second, cause.Message)
	if err := s.reader.Emitter.Log(ctx, connector.Warning, message); err != nil {
		return err
	}
	h := family.NewHarvest("", nil)
	for _, stream := range s.streams {
		if stream.Row.AppendOnly() {
			h.SetAside([]*selected.Stream{stream}, state.Item{From: second, To: second + 1}, cause)
		}
	}
	return h.Commit(ctx, s.reader.Emitter, s.streams, emit.Commit{})
}
