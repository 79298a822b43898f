package command

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/internal/page"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/watch"
)

// TestReadiness tests that a worker is ready until it begins to stop, and that its metrics end after it has stopped.
func TestReadiness(t *testing.T) {
	listener, err := page.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := func() int {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get("http://" + listener.Addr().String() + "/readyz")
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err = serveMetrics(ctx, watch.New(), listener, func(ctx context.Context) error {
		if got := ready(); got != http.StatusOK {
			t.Errorf("got %d while the worker runs", got)
		}
		stop()
		<-ctx.Done()
		if got := ready(); got != http.StatusServiceUnavailable {
			t.Errorf("got %d while the worker stops", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestMetricsFail tests that a worker stops if its metrics can't be served anymore.
func TestMetricsFail(t *testing.T) {
	listener, err := page.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	err = serveMetrics(t.Context(), watch.New(), listener, func(ctx context.Context) error {
		_ = listener.Close()
		<-ctx.Done()
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "serve metrics") {
		t.Errorf("got %v, want the error of serving", err)
	}
}
