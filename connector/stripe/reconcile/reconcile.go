package reconcile

import (
	"context"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// Options say what is compared.
type Options struct {
	APIVersion string       // in which objects are read
	Range      state.Window // of creation times
	Clamped    bool         // the range is smaller than requested
	Overlap    clock.Second // how long an event may take to become visible
}

// parallelLists is how many lists are read concurrently.
const parallelLists = 4

// Run compares streams in the phase Comparing and ends them, COMPLETE or with a failure. They include streams that were just read
// from the beginning, which have nothing left to send. Run returns emit.ErrStopped if the Read is asked to stop before the end.
// Any other error ends the Read.
func Run(ctx context.Context, reader *family.Reader, streams []*selected.Stream, o Options) error {
	if len(streams) == 0 {
		return nil
	}
	if o.Clamped {
		message := fmt.Sprintf("Only objects created since %s are compared, because Stripe keeps events for 30 days.", o.Range.From)
		if err := reader.Emitter.Log(ctx, connector.Warning, message); err != nil {
			return err
		}
	}
	var all []*comparison
	for _, f := range family.All(reader.Table, streams) {
		all = append(all, newComparison(reader, f, o))
	}
	if err := compare(ctx, reader, all, streams); err != nil {
		return err
	}
	for _, c := range all {
		counts := &c.counts
		if c.err != nil {
			counts = nil
		}
		if err := end(ctx, reader, c.streams, counts, c.err); err != nil {
			return err
		}
	}
	return nil
}

// Skip ends streams in the phase Comparing that could not be compared in time. They are COMPLETE nevertheless.
func Skip(ctx context.Context, reader *family.Reader, streams []*selected.Stream) error {
	if len(streams) == 0 {
		return nil
	}
	const message = "A limit of the request was reached before the comparison finished. The changes are applied, but no reconciliation is reported."
	if err := reader.Emitter.Log(ctx, connector.Warning, message); err != nil {
		return err
	}
	return end(ctx, reader, streams, nil, nil)
}

// end reports the result of comparing streams and ends them; found is nil if the comparison did not finish. The streams' states
// are those of the last sweep, except that records sent since then may be newer than the payloads of events until now.
func end(ctx context.Context, reader *family.Reader, streams []*selected.Stream, found *connector.Reconciliation, failure error) error {
	for _, s := range streams {
		s.Out.Reconciled(found)
	}
	sentNothing := found != nil && found.Missing+found.Stale+found.Extra == 0
	err := reader.Emitter.Commit(ctx, emit.Commit{Streams: selected.EmitStreams(streams), States: emit.StatesOfRecords, Advance: func() {
		for _, s := range streams {
			if !sentNothing {
				s.Changes.Reread.MarkAll(clock.Of(reader.Now()) + 1)
			}
		}
	}})
	for _, s := range streams {
		if err == nil && failure != nil {
			err = s.Out.Fail(ctx, connector.AsFailure(failure))
		} else if err == nil {
			err = s.Out.Complete(ctx)
		}
	}
	return err
}

// compare runs the comparisons. A comparison that fails keeps its error; the error returned ends the Read.
func compare(ctx context.Context, reader *family.Reader, all []*comparison, streams []*selected.Stream) error {
	from, until := all[0].From, all[0].until
	for _, c := range all {
		from, until = min(from, c.From), max(until, c.until)
	}
	err := changes.ReadEvents(ctx, reader, streams, from, until, func(events []changes.Event) error {
		for i := range events {
			for _, c := range all {
				c.note(&events[i])
			}
		}
		return nil
	})
	if err := storeFailure(err, all...); err != nil {
		return err
	}
	lists, listsCtx := emit.NewGroup(ctx)
	lists.SetLimit(parallelLists)
	for _, c := range all {
		if c.err == nil {
			lists.Go(func() error { return storeFailure(c.list(listsCtx), c) })
		}
	}
	if err := lists.Wait(); err != nil {
		return err
	}
	var doubtful []*comparison
	for _, c := range all {
		if c.err != nil || !c.hasSuspects() {
			continue
		}
		if err := storeFailure(c.readNewEvents(ctx), c); err != nil {
			return err
		}
		if c.err == nil && c.hasSuspects() {
			doubtful = append(doubtful, c)
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	// Their ids were not kept, so the events are read a second time.
	err = changes.ReadEvents(ctx, reader, streams, from, until, func(events []changes.Event) error {
		for _, c := range doubtful {
			if c.err != nil {
				continue
			}
			if err := storeFailure(c.confirm(ctx, events), c); err != nil {
				return err
			}
		}
		return nil
	})
	return storeFailure(err, doubtful...)
}

// storeFailure stores an error that concerns only these comparisons, and returns any other error.
func storeFailure(err error, comparisons ...*comparison) error {
	if err == nil || emit.EndsRead(err) {
		return err
	}
	for _, c := range comparisons {
		c.err = err
	}
	return nil
}
