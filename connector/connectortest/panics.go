package connectortest

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector"
)

// errPanic represents a panic of the sink.
var errPanic = errors.New(PanicText)

// checkPanics has the sink panic, and then a worker of the source.
func checkPanics(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		for what, is := range messageKinds {
			t.panickingSink(ctx, mode, what, is)
		}
		if t.options.Panicking != nil {
			t.panickingWorker(ctx, mode)
		}
	}
}

// panickingSink panics at the first message of a kind. The panic may reach the caller of Read, who can deal
// with it, or be the Failure that ends the Read.
func (t *trial) panickingSink(ctx context.Context, mode connector.SyncMode, what string, is func(connector.Message) bool) {
	panicked := false
	o := t.read(ctx, t.source, t.request(mode), func(_ context.Context, _ int, m connector.Message) error {
		if panicked = panicked || is(m); panicked {
			panic(PanicText)
		}
		return nil
	})
	if !panicked || o.hung || o.panicked != nil {
		return
	}
	t.judgePanic("sink-panic", "the sink panicked at the first "+what, o)
}

// panickingWorker reads a source that panics while it reads a healthy one.
func (t *trial) panickingWorker(ctx context.Context, mode connector.SyncMode) {
	var background sync.WaitGroup
	background.Go(func() { t.mustRead(ctx, t.source, t.request(mode), "worker-panic") })
	o := t.read(ctx, t.options.Panicking(), t.request(mode), nil)
	background.Wait()
	if !o.hung {
		t.judgePanic("worker-panic", "a worker panicked", o)
	}
}

func (t *trial) judgePanic(promise, what string, o *outcome) {
	f, ok := errors.AsType[*connector.Failure](o.err)
	switch {
	case o.panicked != nil:
		t.broke(promise, "%s, and Read panicked with %v", what, o.panicked)
	case o.err == nil:
		t.broke(promise, "%s, and Read succeeded", what)
	case !ok || f.Class != connector.System:
		t.broke(promise, "%s, and Read ended with %v, which is not a Failure of class System", what, o.err)
	case !strings.Contains(f.Internal, "goroutine "):
		t.broke(promise, "%s, and the Failure's Internal does not contain its stack: %.200q", what, f.Internal)
	case strings.Contains(f.Message, PanicText) || strings.Contains(f.Message, "goroutine "):
		t.broke(promise, "%s, and the Failure's Message contains it: %q", what, f.Message)
	}
}
