package page

import (
	"io"
	"net/http"
	"net/http/pprof"
)

// Handler returns a handler for /metrics, /healthz (always 200), /readyz (503 while draining returns true), and, if profiles
// is set, /debug/pprof.
func Handler(metrics http.Handler, draining func() bool, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(out, "ok\n") })
	mux.HandleFunc("GET /readyz", func(out http.ResponseWriter, _ *http.Request) {
		if draining() {
			http.Error(out, "draining", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(out, "ok\n")
	})
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound) // don't expose the command line
	}
	return mux
}
