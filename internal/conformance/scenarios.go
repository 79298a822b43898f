package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// scenario is something that happens to a client.
type scenario struct {
	name string
	// promise is what the client must do.
	promise string
	run     func(*world, context.Context) error
}

// scenarios lists all scenarios. The first one is basic: if it fails, so would the others.
func scenarios() []scenario {
	return []scenario{
		{"backfill", "read all records of an account, and exit with 0", (*world).sync},
		{"resume", "resume from the last states after a retryable failure in the middle of a Read", (*world).resume},
		{"broken-connection", "resume after the connection broke in the middle of a Read", (*world).brokenConnection},
		{"no-summary", "treat a Read without a summary as interrupted, although its status is OK", (*world).noSummary},
		{"work-left", "call Read again if the summary says has_more", (*world).workLeft},
		{"kill", "store rows and states together, so that a client killed at any moment loses nothing", (*world).killed},
		{"changes", "start the next sync from the stored states, and apply changes and deletions", (*world).changes},
		{"delete-matching", "apply OPERATION_DELETE_MATCHING to all rows of the parent, in the order received", (*world).deleteMatching},
		{"generation", "delete the rows of older generations at COMPLETE", (*world).generation},
		{"failed-stream", "keep the rows of a stream that ends INCOMPLETE, read the others, and exit with another code than 0", (*world).failedStream},
		{"skipped-stream", "read the other streams if one is SKIPPED, and exit with 0", (*world).skippedStream},
		{"refused", "stop after a failure that is not retryable, and exit with another code than 0", (*world).refused},
		{"retry", "retry after a retryable failure, whatever its code, but not sooner than it says", (*world).retry},
	}
}

var (
	unavailable = &connector.Failure{Class: connector.Transient, Message: "Simulated: the source is unavailable.", Retryable: true}
	// odd has a code that isn't usually worth a retry, but says that it is.
	odd = &connector.Failure{Class: connector.System, Message: "Simulated: a bug that a retry gets around.", Retryable: true}
	bad = &connector.Failure{Class: connector.AuthError, Message: "Simulated: the key was refused."}
)

// interruptAt is the number of checkpoints of customers that a Read has sent when it is interrupted.
const interruptAt = 2

func (w *world) resume(ctx context.Context) error {
	w.service.next(interrupt(interruptAt, func(context.Context) error { return unavailable }))
	if err := w.sync(ctx); err != nil {
		return err
	}
	reads, _ := w.service.recorded()
	sent, given := reads[0].sent[customers], reads[1].given[customers]
	if !slices.Contains(sent, given) {
		return fmt.Errorf("the Read after the interruption started from none of the %d states of customers sent before", len(sent))
	}
	return nil
}

func (w *world) brokenConnection(ctx context.Context) error {
	cut := interrupt(interruptAt, func(ctx context.Context) error {
		w.listener.cut()
		<-ctx.Done()
		return ctx.Err()
	})
	w.service.next(cut)
	return w.sync(ctx)
}

func (w *world) noSummary(ctx context.Context) error {
	w.service.next(interrupt(interruptAt, func(context.Context) error {
		w.service.silence()
		return unavailable
	}))
	return w.sync(ctx)
}

func (w *world) workLeft(ctx context.Context) error {
	w.service.next(limit(2*pageSize), limit(2*pageSize))
	return w.sync(ctx)
}

func (w *world) killed(ctx context.Context) error {
	for _, checkpoints := range []int{interruptAt, 0} {
		w.service.next(interrupt(checkpoints, func(ctx context.Context) error {
			w.options.settle(w.setup.Folder)
			w.service.kill(errKilled)
			<-ctx.Done()
			return ctx.Err()
		}))
		failed, killed := w.run(ctx)
		switch {
		case killed == nil:
			return fmt.Errorf("the client ended in the middle of a Read, with the error %v", failed) //nolint:errorlint // may be nil
		case !errors.Is(killed, errKilled):
			return killed
		}
	}
	return w.sync(ctx)
}

func (w *world) changes(ctx context.Context) error {
	if err := w.sync(ctx); err != nil {
		return err
	}
	before, _ := w.service.recorded()
	w.clock.pass(time.Hour)
	_, created := w.Create("/v1/customers")
	if err := errors.Join(created, w.Update(w.nth(10, "/v1/customers")), w.Delete(w.nth(20, "/v1/customers"))); err != nil {
		return err
	}
	w.clock.pass(time.Hour)
	if err := w.sync(ctx); err != nil {
		return err
	}
	last := map[string]string{}
	for _, r := range before {
		for stream, states := range r.sent {
			last[stream] = states[len(states)-1]
		}
	}
	after, _ := w.service.recorded()
	for stream, state := range last {
		switch after[0].given[stream] {
		case state:
		case "":
			return fmt.Errorf("the second sync sent no state of %s, although the first one had completed it", stream)
		default:
			return fmt.Errorf("the second sync sent a state of %s that is not the last one of the first sync, or was changed", stream)
		}
	}
	return nil
}

func (w *world) deleteMatching(ctx context.Context) error {
	if err := w.sync(ctx); err != nil {
		return err
	}
	w.clock.pass(time.Hour)
	shorter, empty := "/v1/invoices/"+w.nth(5, "/v1/invoices")+"/lines", "/v1/invoices/"+w.nth(9, "/v1/invoices")+"/lines"
	err := w.Delete(w.nth(0, shorter))
	for w.Count(empty) > 0 && err == nil {
		err = w.Delete(w.nth(0, empty))
	}
	if err != nil {
		return err
	}
	w.clock.pass(time.Hour)
	if err := w.sync(ctx); err != nil {
		return err
	}
	reads, _ := w.service.recorded()
	for _, r := range reads {
		if r.matching > 0 {
			return nil
		}
	}
	return errors.New("the service had no reason to send OPERATION_DELETE_MATCHING: " +
		"send the states, request SYNC_MODE_INCREMENTAL, and leave accepted_operations empty")
}

// away is longer than events are kept, so streams with events start a new generation.
const away = stripetest.Retention + 24*time.Hour

func (w *world) generation(ctx context.Context) error {
	if err := w.sync(ctx); err != nil {
		return err
	}
	err := errors.Join(w.Delete(w.nth(20, "/v1/customers")), w.Delete(w.nth(9, "/v1/invoices")), w.Delete(w.nth(1, "/v1/tax_ids")))
	if err != nil {
		return err
	}
	w.clock.pass(away)
	return w.sync(ctx)
}

func (w *world) failedStream(ctx context.Context) error {
	if err := w.sync(ctx); err != nil {
		return err
	}
	if _, err := w.Create("/v1/invoices"); err != nil {
		return err
	}
	w.clock.pass(away)
	want, err := w.truth(ctx) // the customers of the old generation and the new one are equal
	if err != nil {
		return err
	}
	repair := w.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/customers", Skip: 2})
	open := w.gate.closeFor("/v1/invoices")
	defer open()
	w.service.next(whenFailed(open))
	switch failed, killed := w.run(ctx); {
	case killed != nil:
		return killed
	case failed == nil:
		return errors.New("the client exited with 0, although a stream had failed")
	}
	if err := w.compare(want); err != nil {
		return fmt.Errorf("after customers had failed: %w", err)
	}
	repair()
	return w.sync(ctx)
}

func (w *world) skippedStream(ctx context.Context) error {
	want, err := w.truth(ctx)
	if err != nil {
		return err
	}
	repair := w.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/customers"})
	if failed, killed := w.run(ctx); failed != nil {
		return fmt.Errorf("the client failed: %w", cmp.Or(killed, failed))
	}
	want[customers] = nil
	if err := w.compare(want); err != nil {
		return err
	}
	repair()
	return w.sync(ctx)
}

func (w *world) refused(ctx context.Context) error {
	w.service.next(refuse(bad), func(context.Context, connector.ReadRequest, connector.Sink, readFunc) (connector.Summary, error) {
		w.service.kill(errors.New("the client called Read again after a failure that is not retryable"))
		return connector.Summary{}, bad
	})
	failed, killed := w.run(ctx)
	if failed == nil && killed == nil {
		return errors.New("the client exited with 0, although the service had refused the Read")
	}
	return killed
}

func (w *world) retry(ctx context.Context) error {
	busy := *unavailable
	busy.RetryAfter = w.options.RetryAfter
	w.service.next(refuse(&busy), refuse(odd))
	if err := w.sync(ctx); err != nil {
		return err
	}
	reads, _ := w.service.recorded()
	waited := reads[1].began.Sub(reads[0].ended)
	if waited < busy.RetryAfter*9/10 { // timers may be a little early
		return fmt.Errorf("the client waited %s of the %s that the service had requested", waited.Round(time.Millisecond), busy.RetryAfter)
	}
	return nil
}
