package connectortest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// checkLimits ends Reads at a limit of the request, and resumes them until nothing is left.
func checkLimits(ctx context.Context, t *trial) {
	if !t.supports(connector.RecordLimit) && !t.supports(connector.SoftDeadline) {
		t.skip("the source supports neither RECORD_LIMIT nor SOFT_DEADLINE")
		return
	}
	for _, mode := range t.modes() {
		if t.supports(connector.RecordLimit) {
			req := t.request(mode)
			req.RecordLimit = 1
			t.limited(ctx, req, nil, "record-limit", "with a limit of one record")
		}
		if t.supports(connector.SoftDeadline) {
			req := t.request(mode)
			req.SoftDeadline = time.Millisecond
			t.limited(ctx, req, sleeping(t.options.Slowness), "soft-deadline", "with a soft deadline of a millisecond")
		}
	}
}

// sleeping takes every message slowly, except heartbeats.
func sleeping(d time.Duration) take {
	return func(ctx context.Context, _ int, m connector.Message) error {
		if _, ok := m.(*connector.Progress); ok {
			return nil
		}
		return sleep(ctx, d)
	}
}

// sleepingAtFirst takes only the first message slowly.
func sleepingAtFirst(d time.Duration) take {
	return func(ctx context.Context, n int, _ connector.Message) error {
		if n > 0 {
			return nil
		}
		return sleep(ctx, d)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkDrain drains Reads: before they begin, and at each of their messages.
func checkDrain(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		whole := t.mustRead(ctx, t.source, t.request(mode), "drain")
		if whole == nil {
			return
		}
		for _, k := range append([]int{-1}, t.stops(len(whole.messages))...) {
			drain := make(chan struct{})
			req := t.request(mode)
			req.Drain = drain
			if k < 0 {
				close(drain)
			}
			t.readToEnd(ctx, req, func(ctx context.Context, n int, _ connector.Message) error {
				if n == k {
					close(drain)
				}
				return nil
			}, "drain", fmt.Sprintf("drained at message %d", k+1))
			if t.failed() {
				return
			}
		}
		t.judgeDrain(ctx, mode)
	}
}

// judgeDrain checks that a Read that was drained at its start leaves work undone.
func (t *trial) judgeDrain(ctx context.Context, mode connector.SyncMode) {
	drain := make(chan struct{})
	req := t.request(mode)
	req.Drain = drain
	drained := false
	t.limited(ctx, req, func(ctx context.Context, _ int, m connector.Message) error {
		if _, ok := m.(*connector.RecordBatch); ok && !drained {
			close(drain)
			drained = true
		}
		return sleeping(t.options.Slowness)(ctx, 0, m) // so that the source notices in time
	}, "drain", "drained at its first records")
}

// limited performs a Read that must end early.
func (t *trial) limited(ctx context.Context, req connector.ReadRequest, take take, promise, how string) {
	all := 0
	for _, of := range t.rows.only(req) {
		all += len(of)
	}
	sent := t.readToEnd(ctx, req, take, promise, how)
	if all > t.options.Page && sent >= all {
		t.broke(promise, "%s, a Read sent all of %d rows", how, all)
	}
}

// readToEnd performs a Read that may end early, and further ones until there is no more. It returns how many records the
// first one sent.
func (t *trial) readToEnd(ctx context.Context, req connector.ReadRequest, take take, promise, how string) int {
	first := -1
	r := newReplica(t, false)
	maximum := 10 + 2*t.count()
	for reads := 0; ; reads++ {
		rest, more := r.resume(req, true)
		if !more {
			break
		}
		if reads > maximum {
			t.broke("has-more", "%s, there was still more to read after %d Reads: of %s", how, reads, jsonOf(rest.States))
			return first
		}
		o := t.read(ctx, t.fresh(), rest, take)
		if o.hung {
			return first
		}
		if o.err != nil || o.panicked != nil {
			t.broke(promise, "%s, a Read fails: %v", how, o.err)
			return first
		}
		if first < 0 {
			first = o.records()
		}
		r.store(o.messages)
		if !incomplete(o.summary) {
			break
		}
		req.Drain, take = nil, nil // once is enough
		if req.SoftDeadline > 0 {
			take = sleepingAtFirst(t.options.Slowness)
		}
	}
	t.reportDifference(r, t.rows.only(req), how+" and resumed")
	return first
}

// incomplete reports whether a stream has work left, which HasMore should say.
func incomplete(s connector.Summary) bool {
	return slices.ContainsFunc(s.Streams, func(s connector.StreamSummary) bool { return s.Status == connector.Incomplete })
}

// count returns how many rows there are.
func (t *trial) count() int {
	n := 0
	for _, of := range t.rows {
		n += len(of)
	}
	return n
}
