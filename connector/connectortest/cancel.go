package connectortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// maxCancels is the most messages of a Read at which it is canceled.
const maxCancels = 10

// checkCancellation cancels Reads before they begin, and while the sink is busy with one of their messages.
func checkCancellation(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		over, cancel := context.WithCancel(ctx)
		cancel()
		o := t.read(over, t.source, t.request(mode), func(ctx context.Context, _ int, _ connector.Message) error { return ctx.Err() })
		if !o.hung && !errors.Is(o.err, context.Canceled) {
			t.broke("cancellation", "a Read whose context had ended before it began returned %v", o.err)
		}
		whole := t.mustRead(ctx, t.source, t.request(mode), "cancellation")
		if whole == nil {
			return
		}
		n := len(whole.messages)
		for i := range min(n, maxCancels) {
			t.cancelAt(ctx, mode, i*n/min(n, maxCancels))
			if t.failed() {
				return // each of them may cost all patience
			}
		}
	}
}

// cancelAt cancels a Read while the sink takes message k. The sink waits for the context that
// Send was given.
func (t *trial) cancelAt(ctx context.Context, mode connector.SyncMode, k int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var cancelled time.Time
	o := t.read(ctx, t.source, t.request(mode), func(sending context.Context, n int, _ connector.Message) error {
		if n != k {
			return sending.Err()
		}
		cancelled = time.Now()
		cancel()
		select {
		case <-sending.Done():
			return sending.Err()
		case <-time.After(t.options.Patience):
			t.broke("cancellation", "the context passed to Send does not end with that of Read")
			return context.Canceled
		}
	})
	switch {
	case o.hung || cancelled.IsZero():
	case !errors.Is(o.err, context.Canceled):
		t.broke("cancellation", "a Read that was canceled at message %d returned %v", k+1, o.err)
	case time.Since(cancelled) > t.options.Patience:
		t.broke("cancellation", "a Read returned only %v after it was canceled at message %d", time.Since(cancelled), k+1)
	}
}

// concurrentReads is how many Reads run concurrently.
const concurrentReads = 3

// checkConcurrent performs several Reads of one source concurrently.
func checkConcurrent(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		req := t.request(mode)
		var reads sync.WaitGroup
		outcomes := make([]*outcome, concurrentReads)
		for i := range outcomes {
			reads.Go(func() { outcomes[i] = t.mustRead(ctx, t.source, req, "concurrent") })
		}
		reads.Wait()
		for i, o := range outcomes {
			if o == nil {
				return
			}
			r := newReplica(t, false)
			r.store(o.messages)
			if d := r.rows().compare(t.rows.only(req)); !d.isEmpty() {
				t.broke("concurrent", "%s", fmt.Sprintf("concurrent Read %d of %d: %s", i+1, concurrentReads, d))
			}
		}
	}
}
