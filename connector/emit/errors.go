package emit

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/stripe-connector/stripe-connector/connector"
)

// sinkError wraps an error of the sink. It has no Unwrap method, so that errors.As can't find a Failure of the sink and
// mistake it for a failure of the source's service. Run returns the wrapped error.
type sinkError struct{ err error }

// Error returns the message of the sink's error.
func (e *sinkError) Error() string { return "send message: " + e.err.Error() }

// panicError is a panic in a goroutine of the source or in its sink.
type panicError struct {
	what  string
	stack []byte
}

// Error names the panic, without its stack.
func (e *panicError) Error() string { return "panic: " + e.what }

// failure returns the Failure that the caller of the Read receives.
func (e *panicError) failure() *connector.Failure {
	return &connector.Failure{
		Class:    connector.System,
		Message:  "The connector failed. This is a bug: please report it with the internal message.",
		Internal: fmt.Sprintf("%s\n%s", e.Error(), e.stack),
	}
}

// Final returns err as the caller of a source should receive it: for a panic in a [Group] the Failure, for a sink error the
// error that the sink returned. Run's errors have already been converted.
func Final(err error) error {
	if sunk, ok := errors.AsType[*sinkError](err); ok {
		return sunk.err
	}
	if panicked, ok := errors.AsType[*panicError](err); ok {
		return panicked.failure()
	}
	return err
}

// guard calls f and returns a panic as an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{describePanic(p), debug.Stack()}
		}
	}()
	return f()
}

// describePanic describes the value of a panic. It quotes only runtime errors, since other values could contain customer data.
func describePanic(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", p)
}

// ErrStopped is returned by steps of a source that ended early because the Read was asked to stop.
var ErrStopped = errors.New("the Read was asked to stop")

// EndsRead reports whether err concerns the whole Read: the caller has gone, the sink is broken, the source panicked, or
// its credentials were refused. Any other Failure concerns only some of the streams.
func EndsRead(err error) bool {
	if err == nil {
		return false
	}
	failure, ok := connector.FailureIn(err)
	return !ok || failure.Class == connector.AuthError
}
