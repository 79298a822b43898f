package stripe

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// parallelPasses is how many endpoints are paged side by side.
const parallelPasses = 4

// run is one Read.
type run struct {
	streams table
	mode    string
	client  *api.Client
	emitter *emitter
	passes  []*pass
	across  acrossIDs
}

// Read sends the records of the configured streams.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	c, err := s.parseConfig(req.Config)
	if err != nil {
		return connector.Summary{}, err
	}
	passes, err := s.plan(c, req)
	if err != nil {
		return connector.Summary{}, err
	}
	client := s.client(c, s.options.Retry)
	r := &run{streams: s.streams, mode: c.mode(), client: client, passes: passes, emitter: s.newEmitter(c, req, passes, sink, &client.Meter)}
	began := s.options.Now()
	if err := r.all(ctx); err != nil {
		return connector.Summary{}, err
	}
	return r.emitter.summary(s.options.Now().Sub(began)), nil
}

// all reads the passes side by side. An error ends the Read; failures of single streams do not.
func (r *run) all(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		r.emitter.heartbeats(ctx)
	}()
	defer func() { stop(); <-beating }()

	passes, passesCtx := errgroup.WithContext(ctx)
	passes.SetLimit(parallelPasses)
	for _, p := range r.passes {
		passes.Go(func() error { return r.one(passesCtx, p) })
	}
	return passes.Wait()
}

// one reads one pass and tells what became of its streams.
func (r *run) one(ctx context.Context, p *pass) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.emitter.begin(ctx, p); err != nil {
		return err
	}
	err := r.backfill(ctx, p)
	if ends(err) {
		return err
	}
	return r.emitter.finish(ctx, p, err)
}

// ends tells whether an error concerns the whole Read: the caller is gone, the sink is broken, or the key is refused.
func ends(err error) bool {
	if err == nil {
		return false
	}
	failure, ok := asFailure(err)
	return !ok || failure.Class == connector.AuthError
}

// asFailure finds the Failure in an error.
func asFailure(err error) (*connector.Failure, bool) { return errors.AsType[*connector.Failure](err) }

// wait sleeps for d or until ctx ends, and tells whether it slept all of it.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
