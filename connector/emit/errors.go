package emit

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/stripe-connector/stripe-connector/connector"
)

// sinkError is an error of the sink. It hides the sink's error from errors.As, which would find a Failure of the sink's in
// it and take that for one of the source's service. Run returns what it hides.
type sinkError struct{ err error }

// Error describes the sink's error.
func (e *sinkError) Error() string { return "send a message: " + e.err.Error() }

// panicError is a panic in a goroutine of the source or in its sink.
type panicError struct {
	what  string
	stack []byte
}

// Error names the panic, without its stack.
func (e *panicError) Error() string { return "panic: " + e.what }

// failure returns what the caller of the Read learns of the panic.
func (e *panicError) failure() *connector.Failure {
	return &connector.Failure{
		Class:    connector.System,
		Message:  "The connector failed. This is a bug: please report it with the internal message.",
		Internal: fmt.Sprintf("%s\n%s", e.Error(), e.stack),
	}
}

// Final returns err as the caller of a source is to get it: of a panic in a [Group] the Failure, of a sink's error what the
// sink returned. Run's errors are final already.
func Final(err error) error {
	if sunk, ok := errors.AsType[*sinkError](err); ok {
		return sunk.err
	}
	if panicked, ok := errors.AsType[*panicError](err); ok {
		return panicked.failure()
	}
	return err
}

// guard calls f, and turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{describe(p), debug.Stack()}
		}
	}()
	return f()
}

// describe names the value of a panic. Only what the runtime says is quoted: anything else could hold a customer's data.
func describe(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", p)
}

// ErrStopped is returned by steps of a source that ended early because the Read was asked to stop.
var ErrStopped = errors.New("the Read was asked to stop")

// EndsRead reports whether err concerns the whole Read: the caller is gone, the sink is broken, the source panicked, or its
// credentials are refused. Any other Failure concerns some streams only.
func EndsRead(err error) bool {
	if err == nil {
		return false
	}
	failure, ok := connector.FailureIn(err)
	return !ok || failure.Class == connector.AuthError
}
