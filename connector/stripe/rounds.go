package stripe

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

const (
	// defaultFollowInterval is how long a Read that follows rests between two sweeps.
	defaultFollowInterval = 5 * time.Second
	// sweepInterval is how long changes of some streams wait at most while the lists of others are read.
	sweepInterval = time.Minute
	// relistInterval is how often a Read that follows lists again what no event tells of.
	relistInterval = 30 * time.Minute
)

// rounds reads lists and sweeps events until everything is covered, or for ever if the Read follows.
//
// A round reads the lists of streams that have some to read, while changes of the others go on being swept; its end is a
// sweep for all. Another follows for streams whose lists were begun long ago by an earlier Read, or whose events turned
// out to be out of reach.
func (r *run) rounds(ctx context.Context) error {
	if err := r.beginSwept(ctx); err != nil {
		return err
	}
	listed := r.now()
	for {
		if err := r.round(ctx); err != nil {
			return err
		}
		again := r.unfinished()
		if len(again) == 0 {
			if !r.follow || r.stopped() {
				return r.reconcile(ctx)
			}
			if !r.rest(ctx, r.followInterval) {
				return ctx.Err()
			}
			if r.now().Sub(listed) >= relistInterval {
				listed, again = r.now(), r.unannounced()
			}
		}
		if r.stopped() {
			return nil
		}
		r.planAgain(again)
	}
}

// round reads the lists of the passes, and then sweeps what changed.
func (r *run) round(ctx context.Context) error {
	if len(r.passes) > 0 {
		if err := r.listsAndSweeps(ctx); err != nil {
			return err
		}
	}
	if r.stopped() && !r.untouched() {
		return nil
	}
	return r.sweepReady(ctx)
}

// listsAndSweeps reads the lists, while changes of streams that have none go on being swept.
func (r *run) listsAndSweeps(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	swept := make(chan error, 1)
	go func() {
		for {
			if err := r.sweepReady(ctx); err != nil || r.stopped() {
				if err != nil {
					cancel()
				}
				swept <- err
				return
			}
			select {
			case <-over:
				swept <- nil
				return
			case <-time.After(sweepInterval):
			}
		}
	}()
	err := r.lists(ctx)
	close(over)
	if other := <-swept; other != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = other
	}
	return err
}

// ready gives the streams whose changes can be swept: whose lists are read.
func (r *run) ready() []*output {
	r.emitter.mu.Lock()
	defer r.emitter.mu.Unlock()
	var ready []*output
	for _, out := range r.outputs {
		if !out.swept || !out.listed || out.status > connector.Complete || out.status == connector.Complete && !r.follow {
			continue
		}
		if out.seen == nil {
			out.recall()
		}
		if out.status == connector.Complete {
			out.status = connector.Started // more can come
		}
		ready = append(ready, out)
	}
	return ready
}

// sweepReady sweeps the events of all streams that are ready, and tells which are complete. A failure concerns these
// streams, unless it ends the Read.
func (r *run) sweepReady(ctx context.Context) error {
	ready := r.ready()
	if len(ready) == 0 {
		return nil
	}
	err := r.sweepNow(ctx, ready)
	if refused, ok := errors.AsType[eventsRefused](err); ok {
		return r.withoutEvents(ctx, ready, refused.Failure)
	}
	if ends(err) && !errors.Is(err, errEnough) {
		return err
	}
	if errors.Is(err, errEnough) {
		return nil // leave tells
	}
	r.forget(ready)
	if err != nil && r.follow {
		r.enough() // what follows is to begin again as a whole
	}
	if r.recordLimit > 0 && r.emitter.sent() >= r.recordLimit {
		r.enough()
	}
	if err == nil && r.reconciles {
		r.emitter.await(ready)
		return nil
	}
	return r.emitter.end(ctx, ready, err)
}

// withoutEvents lets streams do without the events, which the key may not read: their lists are read again.
func (r *run) withoutEvents(ctx context.Context, ready []*output, failure *connector.Failure) error {
	const message = "The key may not read events, so changes come only by reading everything again at each sync: give it the permission for events. "
	var done []*output
	r.emitter.mu.Lock()
	for _, out := range ready {
		if !out.eventless {
			out.notice, out.eventless = message+failure.Message, true
		}
		if out.pass != nil && !out.resumed || out.stream.appendOnly() {
			done = append(done, out)
			continue
		}
		out.listed, out.unreachable = false, true
	}
	err := r.emitter.notices(ctx, ready)
	r.emitter.mu.Unlock()
	if err != nil {
		return err
	}
	return r.emitter.end(ctx, done, nil)
}

// beginSwept tells that streams are being read that have no lists to read.
func (r *run) beginSwept(ctx context.Context) error {
	var outputs []*output
	for _, out := range r.outputs {
		if out.pass == nil {
			out.listed, out.current = true, *out.given
			outputs = append(outputs, out)
		}
	}
	if len(outputs) == 0 {
		return nil
	}
	return r.emitter.beginEvents(ctx, outputs)
}

// untouched tells whether a stream waits for its first sweep: so that a Read gets on however soon it is to end.
func (r *run) untouched() bool {
	return slices.ContainsFunc(r.outputs, func(out *output) bool { return out.swept && out.pass == nil && out.state == nil })
}

// unfinished gives the streams that need another round: their lists were read, but not from this Read's beginning, or
// are to be read since events are out of reach.
func (r *run) unfinished() []*output {
	var again []*output
	for _, out := range r.outputs {
		if !out.incremental || out.status > connector.Complete {
			continue
		}
		late := out.resumed && out.listed && r.streams.freshness(out.stream) != connector.ByEvents
		if late || out.unreachable {
			again = append(again, out)
		}
	}
	return again
}

// unannounced gives the streams of whose changes no event tells, or not of all.
func (r *run) unannounced() []*output {
	var again []*output
	for _, out := range r.outputs {
		if out.status <= connector.Complete && r.streams.freshness(out.stream) != connector.ByEvents {
			again = append(again, out)
		}
	}
	return again
}

// planAgain plans another round for these streams, from where they are now.
func (r *run) planAgain(outputs []*output) {
	r.emitter.mu.Lock()
	defer r.emitter.mu.Unlock()
	p := r.source.planner(r.config, &r.mu)
	p.setRange(time.Time{}, time.Time{})
	maps.DeleteFunc(r.readAgain, func(of readingOf, _ reading) bool { return slices.Contains(outputs, of.out) })
	for _, out := range outputs {
		given := out.current
		out.given, out.listed, out.seen = &given, false, nil
		if out.status == connector.Complete {
			out.status = connector.Started
		}
	}
	p.outputs = outputs
	passes := p.passes(outputs)
	for _, out := range outputs {
		if out.pass == nil || !slices.Contains(passes, out.pass) {
			out.listed = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passes = passes
}

// forget drops what was read again before any event that is still looked for.
func (r *run) forget(outputs []*output) {
	oldest := second(r.now().Unix())
	for _, out := range outputs {
		oldest = min(oldest, out.changes.From)
	}
	for key, read := range r.readAgain {
		if read.at+readMargin < oldest {
			delete(r.readAgain, key)
		}
	}
}

// rest waits before the next sweep, and tells whether there is to be one.
func (r *run) rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ended:
		return true
	case <-ctx.Done():
		return false
	}
}
