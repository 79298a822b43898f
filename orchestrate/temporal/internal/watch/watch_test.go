package watch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/watch"
)

// scrape returns the metrics with a prefix.
func scrape(t *testing.T, w *watch.Watch, prefix string) []string {
	t.Helper()
	out := httptest.NewRecorder()
	w.Handler(func() bool { return false }).ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if out.Code != http.StatusOK {
		t.Fatalf("got %d %s", out.Code, out.Body)
	}
	var found []string
	for line := range strings.Lines(out.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// TestMetrics reports metrics as the SDK does: from several goroutines, and one metric with different labels.
func TestMetrics(t *testing.T) {
	w := watch.New()
	root := w.Metrics().WithTags(map[string]string{"namespace": "default", "activity_type": "none"})
	var reporting sync.WaitGroup
	for range 10 {
		reporting.Go(func() {
			root.Counter("t_request").Inc(1)
			root.WithTags(map[string]string{"operation": "Poll"}).Counter("t_request").Inc(2)
			root.WithTags(map[string]string{"activity_type": "Sync"}).Counter("t_request").Inc(3)
			root.Counter("t_activities_total").Inc(0)
			root.Gauge("t_slots").Update(7)
			root.Timer("t_latency").Record(1500 * time.Millisecond)
			w.Metrics().Gauge("t_untagged").Update(1)
			scrape(t, w, "t_")
		})
	}
	reporting.Wait()
	got := strings.Join(scrape(t, w, "t_"), "\n")
	for _, want := range []string{
		`t_request_total{activity_type="none",namespace="default"} 10`,
		`t_request_total{activity_type="none",namespace="default",operation="Poll"} 20`,
		`t_request_total{activity_type="Sync",namespace="default"} 30`,
		`t_activities_total{activity_type="none",namespace="default"} 0`,
		`t_slots{activity_type="none",namespace="default"} 7`,
		`t_latency_seconds_bucket{activity_type="none",namespace="default",le="1"} 0`,
		`t_latency_seconds_bucket{activity_type="none",namespace="default",le="5"} 10`,
		`t_latency_seconds_sum{activity_type="none",namespace="default"} 15`,
		`t_untagged 1`,
	} {
		if !strings.Contains("\n"+got+"\n", "\n"+want+"\n") {
			t.Errorf("%s is missing from\n%s", want, got)
		}
	}
}

// TestValuesAreBounded tests that values of a label beyond 200 share one, in all metrics together.
func TestValuesAreBounded(t *testing.T) {
	const own, all = 200, 500
	w := watch.New()
	for i := range all {
		m := w.Metrics().WithTags(map[string]string{"kind": fmt.Sprint(i), "namespace": "default"})
		m.Counter("t_first").Inc(1)
		m.Counter("t_second").Inc(1)
	}
	for _, name := range []string{"t_first", "t_second"} {
		series := scrape(t, w, name)
		if len(series) != own+1 {
			t.Errorf("%s has %d series, want %d and one for all others", name, len(series), own)
		}
		if other := fmt.Sprintf(`%s_total{kind="other",namespace="default"} %d`, name, all-own); !strings.Contains(strings.Join(series, "\n"), other) {
			t.Errorf("%s is missing from %v", other, series)
		}
	}
}
