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
	// defaultFollowInterval is the pause between two sweeps of a Read with Follow.
	defaultFollowInterval = 5 * time.Second
	// sweepInterval is the pause between sweeps while lists are being read.
	sweepInterval = time.Minute
	// relistInterval is how often a Read with Follow re-lists streams whose changes aren't announced by events.
	relistInterval = 30 * time.Minute
)

// rounds reads lists and sweeps events until everything is covered, or indefinitely if the request sets Follow.
//
// A round reads the lists of the streams that have some left, sweeps the changes of the others meanwhile, and ends
// with a sweep for all. Another round follows for streams whose lists were started by an earlier Read (Outdated) or
// whose events turned out to be unavailable (Stranded).
func (r *read) rounds(ctx context.Context) error {
	relisted := r.reader.Now()
	for {
		if err := r.heal(ctx); err != nil {
			return err
		}
		if err := r.round(ctx); err != nil {
			return err
		}
		relist := r.inPhase(selected.Outdated, selected.Stranded)
		if len(relist) == 0 {
			if !r.req.Follow || r.stopped() {
				return r.reconcile(ctx)
			}
			if err := r.reportDrift(ctx); err != nil {
				return err
			}
			if err := r.pause(ctx); err != nil {
				return err
			}
			if r.reader.Now().Sub(relisted) >= relistInterval {
				relisted, relist = r.reader.Now(), slices.DeleteFunc(r.inPhase(selected.Current), r.isAnnounced)
			}
		}
		if r.stopped() {
			return emit.ErrStopped
		}
		r.parts = plan.Replan(r.reader.Table, r.config, relist, r.reader.Now())
		if err := r.addClocks(ctx); err != nil {
			return err
		}
		r.sweeper.Restart(relist)
	}
}

// round reads the lists and then sweeps the changes. A stream that waits for its first sweep is swept even if the
// Read was asked to stop, so that Reads with a short deadline make progress.
func (r *read) round(ctx context.Context) error {
	if len(r.parts) > 0 {
		if err := r.listAndSweep(ctx); err != nil {
			return err
		}
	}
	isWaiting := func(s *selected.Stream) bool { return !s.HasLists() }
	if r.stopped() && !slices.ContainsFunc(r.inPhase(selected.Sweeping), isWaiting) {
		return nil
	}
	return r.sweep(ctx)
}

// listAndSweep reads the lists. Meanwhile it sweeps the changes of streams whose lists are complete or that have
// none.
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

// sweep applies the events of all streams whose lists are complete, and reports which streams are up to date. A
// failure is that of these streams, unless it ends the Read.
func (r *read) sweep(ctx context.Context) error {
	ready := r.inPhase(selected.Sweeping, selected.Current)
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
		return r.handleMissingEvents(ctx, ready, refused.Failure)
	case errors.Is(err, emit.ErrStopped):
		return nil
	case emit.EndsRead(err):
		return err
	case err != nil && r.req.Follow:
		r.reader.Emitter.Stop() // the caller has to start a new Read to follow these streams again
	}
	for _, s := range ready {
		if err := r.finishSweep(ctx, s, err); err != nil {
			return err
		}
	}
	return nil
}

// finishSweep moves a stream to its next phase after a sweep. err is why its events could not be applied, if they could
// not.
func (r *read) finishSweep(ctx context.Context, s *selected.Stream, err error) error {
	switch {
	case err != nil:
		return s.Out.Fail(ctx, connector.AsFailure(err))
	case s.NeedsRelist:
		s.Enter(selected.Outdated)
		return nil
	case r.req.Reconcile:
		s.Enter(selected.Comparing)
		return nil
	}
	s.Enter(selected.Current)
	return s.Out.Complete(ctx)
}

// handleMissingEvents handles a key that may not read events: the streams are re-listed from the beginning, unless that was
// just done.
func (r *read) handleMissingEvents(ctx context.Context, ready []*selected.Stream, failure *connector.Failure) error {
	const message = "The key may not read events, so every sync re-reads everything to find changes: grant it read access to events. "
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

// inPhase returns the streams that are in one of the given phases.
func (r *read) inPhase(phases ...selected.Phase) []*selected.Stream {
	var streams []*selected.Stream
	for _, s := range r.streams {
		if slices.Contains(phases, s.Phase()) {
			streams = append(streams, s)
		}
	}
	return streams
}

// isAnnounced reports whether events announce every change of a stream.
func (r *read) isAnnounced(s *selected.Stream) bool {
	return r.reader.Table.Freshness(s.Row) == connector.ByEvents && s.Row.PendingField == ""
}

func (r *read) stopped() bool { return r.reader.Emitter.Stopped() }

// pause waits until the next sweep is due or the Read is asked to stop.
func (r *read) pause(ctx context.Context) error {
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

// reconcile compares the range that the request selects, once all changes have been applied.
func (r *read) reconcile(ctx context.Context) error {
	o := reconcile.Options{APIVersion: r.config.APIVersion, Overlap: r.config.Overlap}
	o.Range, o.Clamped = plan.Compared(r.req, r.config, r.reader.Now())
	return reconcile.Run(ctx, r.reader, r.inPhase(selected.Comparing), o)
}
