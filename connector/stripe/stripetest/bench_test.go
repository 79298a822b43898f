package stripetest

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// sink is an http.ResponseWriter that discards the body.
type sink struct {
	header http.Header
	status int
	bytes  int64
}

func (w *sink) Header() http.Header         { return w.header }
func (w *sink) WriteHeader(status int)      { w.status = status }
func (w *sink) Write(p []byte) (int, error) { w.bytes += int64(len(p)); return len(p), nil }

// BenchmarkPage measures rendering a page of 100 objects, without the network.
func BenchmarkPage(b *testing.B) {
	for _, path := range []string{"/v1/charges", "/v1/customers", "/v1/invoices", "/v1/subscriptions", "/v1/events"} {
		b.Run(path[4:], func(b *testing.B) {
			s := New(Options{Objects: map[string]int{path: 100_000}})
			s.Count("/v1/coupons")
			request := get(path + "?limit=100")
			w := &sink{header: http.Header{}}
			s.ServeHTTP(w, request)
			w.bytes = 0
			b.ReportAllocs()
			for b.Loop() {
				s.ServeHTTP(w, request)
			}
			b.SetBytes(w.bytes / int64(b.N))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}

// BenchmarkMemory measures the memory held by an account of 100,000 charges once every page has been read.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := New(Options{Objects: map[string]int{"/v1/charges": 100_000}})
		n := s.Count("/v1/charges")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		if n != 100_000 {
			b.Fatalf("%d charges", n)
		}
		runtime.KeepAlive(s)
	}
}

func get(url string) *http.Request {
	request := httptest.NewRequest(http.MethodGet, url, nil)
	request.Header.Set("Authorization", "Bearer sk_test_4eC39HqLyjWDarjtT1zdp7dc")
	return request
}

// BenchmarkServer reads pages of 100 charges over loopback, with one client per processor.
func BenchmarkServer(b *testing.B) {
	s, client := serve(b, Options{Objects: map[string]int{"/v1/charges": 100_000}})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if response, _, err := try(b, b.Context(), client, s.URL+"/v1/charges?limit=100"); err != nil || response.StatusCode != http.StatusOK {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}
