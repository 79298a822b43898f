package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5" // jittered
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
)

const (
	// concurrency is how many schedules to read or to change at the same time.
	concurrency = 16
	// callTime is the maximum time of an RPC. The SDK has the same.
	callTime = 10 * time.Second
	// firstWait and longestWait are the times between attempts of a call, give or take half of them. The first doubles up to the other.
	firstWait, longestWait = time.Second, 15 * time.Second
	// patience is how long to retry while Temporal answers no call at all.
	patience = 2 * time.Minute
	// reportEvery is the time between reports.
	reportEvery = 10 * time.Second
	// maxNamed bounds the number of errors to list: often, all schedules fail in the same way.
	maxNamed = 20
)

// Progress is how far a step has come.
type Progress struct {
	// Step is what is done to each schedule, such as "compared".
	Step        string
	Done, Total int
	// Delay is the last error that a call is retried after, or nil if Temporal has answered another call since.
	Delay error
}

func (p Progress) String() string {
	text := fmt.Sprintf("%d of %d schedules %s", p.Done, p.Total, p.Step)
	if p.Delay != nil {
		text += fmt.Sprintf("; retrying, since Temporal is busy or away: %v", p.Delay)
	}
	return text + "."
}

// session makes the calls of one plan or of its application. Calls that fail for a passing reason are retried, as long as
// Temporal answers others.
type session struct {
	client client.Client
	report func(Progress) // may be nil

	mu       sync.Mutex
	answered time.Time // when Temporal last answered
	delay    error     // why a call is being retried
}

func newSession(c client.Client, report func(Progress)) *session {
	return &session{client: c, report: report, answered: time.Now()}
}

// silence is the error after Temporal has answered no call for too long.
type silence struct{ last error }

func (s *silence) Error() string {
	return fmt.Sprintf("Temporal has answered no call for %s: %v", patience, s.last)
}

func (s *silence) Unwrap() error { return s.last }

// call calls f until it succeeds or fails for good.
func (s *session) call(ctx context.Context, f func(context.Context) error) error {
	waits := backoff.ExponentialBackOff{InitialInterval: firstWait, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: longestWait}
	for {
		w := &wire{}
		err := f(context.WithValue(ctx, wireKey{}, w))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !isPassing(err, w.err) {
			s.note(nil)
			return err
		}
		if w.err != nil {
			err = serviceerror.FromStatus(serviceerror.ToStatus(w.err)) // says more than the SDK's deadline
		}
		if s.note(err) > patience {
			return &silence{err}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waits.NextBackOff()):
		}
	}
}

// note remembers why a call is retried, or that one was answered, and returns for how long none was.
func (s *session) note(delay error) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
	if delay == nil {
		s.answered = time.Now()
	}
	return time.Since(s.answered)
}

// isPassing reports whether a call that failed with err may succeed later. The RPC's error also shows failures of Temporal's own,
// whose code the SDK hides.
func isPassing(err, rpc error) bool {
	switch serviceerror.ToStatus(rpc).Code() {
	case codes.Aborted, codes.Internal, codes.Unknown: // the SDK retries these, too, but only for some seconds
		return err != nil
	}
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	_, busy := errors.AsType[*serviceerror.ResourceExhausted](err)
	return unavailable || late || busy || errors.Is(err, context.DeadlineExceeded)
}

// each calls f for the numbers below n, some at the same time, and reports progress. It continues after errors, which it returns
// in order, unless ctx is canceled or Temporal doesn't answer. done is how many calls have succeeded.
func (s *session) each(ctx context.Context, step string, n int, f func(ctx context.Context, i int) error) (done int, err error) {
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var mu sync.Mutex
	stopped := s.reportOn(func() Progress {
		mu.Lock()
		defer mu.Unlock()
		return Progress{Step: step, Done: done, Total: n}
	})
	errs := make([]error, n)
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			errs[i] = f(ctx, i)
			if silent, ok := errors.AsType[*silence](errs[i]); ok {
				cancel(silent)
			}
			if errs[i] == nil {
				mu.Lock()
				defer mu.Unlock()
				done++
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	stopped()
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	return done, join(errs)
}

// reportOn reports progress from time to time until the function that it returns is called.
func (s *session) reportOn(progress func() Progress) (stop func()) {
	if s.report == nil {
		return func() {}
	}
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
			}
			p := progress()
			s.mu.Lock()
			p.Delay = s.delay
			s.mu.Unlock()
			s.report(p)
		}
	})
	return func() {
		close(ended)
		running.Wait()
	}
}

// join joins the first errors.
func join(errs []error) error {
	var some []error
	more := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case len(some) < maxNamed:
			some = append(some, err)
		default:
			more++
		}
	}
	if more > 0 {
		some = append(some, fmt.Errorf("and %d more", more))
	}
	return errors.Join(some...)
}

// isNotFound reports whether err means that there is no such schedule or workflow.
func isNotFound(err error) bool {
	_, missing := errors.AsType[*serviceerror.NotFound](err)
	return missing
}
