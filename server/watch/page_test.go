package watch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/server/watch"
)

func TestPage(t *testing.T) {
	no, yes := func() bool { return false }, func() bool { return true }
	tests := map[string]struct {
		method, path string
		draining     func() bool
		profiles     bool
		code         int
		says         string
	}{
		"metrics":               {"GET", "/metrics", no, false, http.StatusOK, `connector_build_info{`},
		"health":                {"GET", "/healthz", no, false, http.StatusOK, "ok"},
		"health while draining": {"GET", "/healthz", yes, false, http.StatusOK, "ok"},
		"ready":                 {"GET", "/readyz", no, false, http.StatusOK, "ok"},
		"not ready":             {"GET", "/readyz", yes, false, http.StatusServiceUnavailable, "draining"},
		"no profiles":           {"GET", "/debug/pprof/", no, false, http.StatusNotFound, ""},
		"profiles":              {"GET", "/debug/pprof/heap", no, true, http.StatusOK, ""},
		"command line":          {"GET", "/debug/pprof/cmdline", no, true, http.StatusNotFound, ""},
		"another path":          {"GET", "/", no, true, http.StatusNotFound, ""},
		"another method":        {"POST", "/metrics", no, true, http.StatusMethodNotAllowed, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := httptest.NewRecorder()
			watch.New(watch.Options{}).Handler(test.draining, test.profiles).
				ServeHTTP(out, httptest.NewRequest(test.method, test.path, nil))
			if out.Code != test.code || !strings.Contains(out.Body.String(), test.says) {
				t.Errorf("got %d %q, want %d with %q", out.Code, out.Body, test.code, test.says)
			}
		})
	}
}
