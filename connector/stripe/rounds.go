package stripe

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/backfill"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/plan"
	"github.com/stripe-connector/stripe-connector/connector/stripe/reconcile"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
)

const (
	// defaultFollowInterval is how long a Read that follows rests between two sweeps.
	defaultFollowInterval = 5 * time.Second
	// sweepInterval is how long changes of some streams wait at most while the lists of others are read.
	sweepInterval = time.Minute
	// relistInterval is how often a Read that follows re-lists what no event announces.
	relistInterval = 30 * time.Minute
)

// rounds reads lists and sweeps events until everything is covered, or for ever if the Read follows.
//
// A round reads the lists of streams that have some to read, while changes of the others are swept; it ends with a sweep for
// all. Another round follows for streams whose lists were begun long ago by an earlier Read, or whose events turned out to be
// out of reach.
func (r *read) rounds(ctx context.Context) error {
	relisted := r.reader.Now()
	for {
		if err := r.heal(ctx); err != nil {
			return err
		}
		if err := r.round(ctx); err != nil {
			return err
		}
		again := r.in(selected.Outdated, selected.Stranded)
		if len(again) == 0 {
			if !r.req.Follow || r.stopped() {
				return r.reconcile(ctx)
			}
			if err := r.rest(ctx); err != nil {
				return err
			}
			if r.reader.Now().Sub(relisted) >= relistInterval {
				relisted, again = r.reader.Now(), slices.DeleteFunc(r.in(selected.Current), r.isAnnounced)
			}
		}
		if r.stopped() {
			return emit.ErrStopped
		}
		r.parts = plan.Again(r.source.streams, r.config, again, r.reader.Now())
		r.sweeper.Restart(again)
	}
}

// round reads the lists, and then sweeps what changed. A stream that waits for its first sweep is swept even if the Read is to
// stop, so that it makes progress however soon it is to end.
func (r *read) round(ctx context.Context) error {
	if len(r.parts) > 0 {
		if err := r.listAndSweep(ctx); err != nil {
			return err
		}
	}
	waits := func(s *selected.Stream) bool { return !s.HasLists() }
	if r.stopped() && !slices.ContainsFunc(r.in(selected.Sweeping), waits) {
		return nil
	}
	return r.sweep(ctx)
}

// listAndSweep reads the lists, while changes of streams that have none, or whose lists are read, are swept.
func (r *read) listAndSweep(ctx context.Context) error {
	both, ctx := emit.NewGroup(ctx)
	listed := make(chan struct{})
	both.Go(func() error {
		defer close(listed)
		return backfill.New(r.reader, r.source.permits, r.req.NewestFirst, r.parts).Run(ctx)
	})
	both.Go(func() error {
		for {
			if err := r.sweep(ctx); err != nil || r.stopped() {
				return err
			}
			select {
			case <-listed:
				return nil
			case <-ctx.Done():
				return nil
			case <-time.After(sweepInterval):
			}
		}
	})
	return both.Wait()
}

// sweep sweeps the events of all streams whose lists are read, and says which are complete. A failure concerns these streams,
// unless it ends the Read.
func (r *read) sweep(ctx context.Context) error {
	ready := r.in(selected.Sweeping, selected.Current)
	ready = slices.DeleteFunc(ready, func(s *selected.Stream) bool { return !s.Swept })
	if len(ready) == 0 {
		return nil
	}
	for _, s := range ready {
		s.Enter(selected.Sweeping)
	}
	err := r.sweeper.Sweep(ctx, ready)
	refused, isRefused := errors.AsType[changes.RefusedError](err)
	switch {
	case isRefused:
		return r.withoutEvents(ctx, ready, refused.Failure)
	case errors.Is(err, emit.ErrStopped):
		return nil
	case emit.EndsRead(err):
		return err
	case err != nil && r.req.Follow:
		r.reader.Emitter.Stop() // what follows has to be started again as a whole
	}
	for _, s := range ready {
		if err := r.swept(ctx, s, err); err != nil {
			return err
		}
	}
	return nil
}

// swept moves a stream whose events are applied, or could not be, to its next phase.
func (r *read) swept(ctx context.Context, s *selected.Stream, err error) error {
	switch {
	case err != nil:
		return s.Out.Fail(ctx, connector.AsFailure(err))
	case s.Outdates:
		s.Enter(selected.Outdated)
		return nil
	case r.req.Reconcile:
		s.Enter(selected.Comparing)
		return nil
	}
	s.Enter(selected.Current)
	return s.Out.Complete(ctx)
}

// withoutEvents makes streams do without the events, which the key may not read: their lists are read from the beginning,
// unless that was just done.
func (r *read) withoutEvents(ctx context.Context, ready []*selected.Stream, failure *connector.Failure) error {
	const message = "The key may not read events, so changes come only by reading everything again at each sync: give it the permission for events. "
	for _, s := range ready {
		if err := s.Out.LogOnce(ctx, "no events", connector.Warning, message+failure.Message); err != nil {
			return err
		}
		if !s.Row.AppendOnly() && (!s.HasLists() || s.Resumed) {
			s.Enter(selected.Stranded)
			continue
		}
		s.Enter(selected.Current)
		if err := s.Out.Complete(ctx); err != nil {
			return err
		}
	}
	return nil
}

// in returns the streams that are in some phases.
func (r *read) in(phases ...selected.Phase) []*selected.Stream {
	var streams []*selected.Stream
	for _, s := range r.streams {
		if slices.Contains(phases, s.Phase()) {
			streams = append(streams, s)
		}
	}
	return streams
}

// isAnnounced reports whether events announce all changes of a stream.
func (r *read) isAnnounced(s *selected.Stream) bool {
	return r.source.streams.Freshness(s.Row) == connector.ByEvents
}

func (r *read) stopped() bool { return r.reader.Emitter.Stopped() }

// rest waits before the next sweep, or until the Read is to stop.
func (r *read) rest(ctx context.Context) error {
	interval := r.req.FollowInterval
	if interval == 0 {
		interval = defaultFollowInterval
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.reader.Emitter.Stopping():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reconcile compares what the request asks for, once all changes are applied.
func (r *read) reconcile(ctx context.Context) error {
	o := reconcile.Options{Overlap: r.config.Overlap}
	o.Range, o.Clamped = plan.Compared(r.req, r.config, r.reader.Now())
	return reconcile.Run(ctx, r.reader, r.in(selected.Comparing), o)
}
