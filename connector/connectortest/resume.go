package connectortest

import (
	"context"
	"errors"

	"github.com/stripe-connector/stripe-connector/connector"
)

// errStop is how a sink ends a Read early.
var errStop = errors.New("connectortest: the caller is gone")

// stopBefore fails at message k, counted from 0, and at every later one.
func stopBefore(k int) take {
	return func(_ context.Context, n int, _ connector.Message) error {
		if n >= k {
			return errStop
		}
		return nil
	}
}

// checkResume stops a Read before each of its messages and resumes it, in each mode. That includes a stop after every state.
func checkResume(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		req := t.request(mode)
		o := t.mustRead(ctx, t.source, req, "invariant")
		if o == nil {
			return
		}
		whole := newReplica(t, false)
		whole.store(o.messages)
		t.stopAnywhere(ctx, newReplica(t, false), req, whole.rows())
	}
}
