package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// followInterval is the time between two checks for changes. They use a fiftieth of the requests that Stripe
// allows.
const followInterval = 2 * time.Second

// Failure is the error of a run, without secrets.
type Failure struct {
	// Class is the class of the service's Failure, such as AUTH, or else DESTINATION.
	Class string
	// Message is for the user.
	Message string
	// Retryable reports whether a retry may succeed without any change.
	Retryable bool
	// RetryAfter is the minimum time to wait before a retry.
	RetryAfter time.Duration

	cause error
}

func (f *Failure) Error() string { return f.Message }

// Unwrap returns the cause, whose message may contain secrets.
func (f *Failure) Unwrap() error { return f.cause }

// Execution is what a run of a pipeline needs besides the pipeline itself.
type Execution struct {
	Service Syncer
	// Destinations are the kinds of destinations that the file may use.
	Destinations destination.Kinds
	// Getenv returns the value of an environment variable that the file refers to.
	Getenv func(string) string
	// Fence, if set, fences off older attempts of the same pipeline that may be stalled.
	Fence *destination.Fence
	// Reconcile makes the run end with a comparison. Pipelines that follow ignore it.
	Reconcile bool
	// Observe, if set, is called with each message of the run.
	Observe func(context.Context, *connectorv1.ReadResponse)
}

// Sync runs the pipeline once: it syncs or, if the pipeline follows, follows until ctx is done. The report is nil if the sync
// didn't start. The error is the one of ctx or a [*Failure].
func (p *Pipeline) Sync(ctx context.Context, e Execution) (*client.Report, error) {
	resolved, err := p.Resolve(ctx, e.Getenv)
	if err != nil {
		return nil, unresolved(err)
	}
	return p.sync(ctx, e, resolved)
}

// Reread marks the named streams in the destination, so that the next run reads them from the beginning. It returns how many
// of them had been read before. Its errors are those of [Pipeline.Sync].
func (p *Pipeline) Reread(ctx context.Context, e Execution, streams []string, forgetter Forgetter) (int, error) {
	resolved, err := p.Resolve(ctx, e.Getenv)
	if err != nil {
		return 0, unresolved(err)
	}
	n := 0
	err = p.opened(ctx, e, resolved, func(d client.Destination) (err error) {
		n, err = forgetter.Forget(ctx, client.SyncOptions{Config: resolved.Config, Destination: d,
			Selection: client.Selection{Select: streams, Fields: p.Selection.Fields}})
		return err
	})
	return n, err
}

// Forgetter is implemented by [client.Client].
type Forgetter interface {
	Forget(ctx context.Context, opts client.SyncOptions) (int, error)
}

// sync is Sync with references already resolved.
func (p *Pipeline) sync(ctx context.Context, e Execution, resolved *Resolved) (report *client.Report, err error) {
	follows := p.Schedule.Follows()
	err = p.opened(ctx, e, resolved, func(d client.Destination) (err error) {
		report, err = e.Service.Sync(ctx, client.SyncOptions{
			Config: resolved.Config, Destination: d, Selection: p.Selection, Reconcile: e.Reconcile && !follows,
			Follow: follows, FollowInterval: followInterval, Observe: e.Observe,
		})
		return err
	})
	return report, err
}

// opened calls do with the destination, and closes it. It returns the error of ctx or a *Failure.
func (p *Pipeline) opened(ctx context.Context, e Execution, resolved *Resolved, do func(client.Destination) error) error {
	d, err := e.Destinations.OpenFenced(ctx, e.Destinations.Resolve(p.folder, resolved.Destination), e.Fence)
	if err == nil {
		err = errors.Join(do(d), d.Close())
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, destination.ErrSuperseded):
		return ctx.Err()
	}
	return asFailure(err, resolved)
}

// asFailure classifies an error of a sync. A [client.Error] comes from the service, any other error from the
// destination.
func asFailure(err error, resolved *Resolved) *Failure {
	message := resolved.Redact(err.Error())
	if errors.Is(err, destination.ErrSuperseded) {
		return &Failure{Class: "SUPERSEDED", Message: message, cause: err}
	}
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return &Failure{Class: "DESTINATION", Message: message, Retryable: true, cause: err}
	}
	return &Failure{
		Class: strings.TrimPrefix(e.Failure.GetClass().String(), "FAILURE_CLASS_"), Message: message,
		Retryable: e.Retryable(), RetryAfter: e.RetryAfter(), cause: err,
	}
}

// unresolved returns the Failure for references that can't be resolved.
func unresolved(err error) *Failure {
	return &Failure{Class: "CONFIG", Message: fmt.Sprint(err), cause: err}
}
