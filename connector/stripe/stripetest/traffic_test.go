package stripetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

var busy = []string{"/v1/charges", "/v1/customers", "/v1/invoices", "/v1/subscriptions", "/v1/refunds", "/v1/customers/{customer}/sources"}

// TestTraffic makes 140 changes a second, with events delayed by up to 20 seconds.
func TestTraffic(t *testing.T) {
	c := newClock()
	options := c.options()
	options.EventDelay = 20 * time.Second
	options.Objects = map[string]int{"*": 50}
	var first []string
	for range 2 {
		s := New(options)
		c.now = newClock().now
		before := s.Count("/v1/events")
		var changed []string
		traffic := s.Traffic(1, busy...)
		for range 10 {
			for range 140 {
				id, err := traffic.Change()
				if err != nil {
					t.Fatal(err)
				}
				changed = append(changed, id)
			}
			c.wait(time.Second)
		}
		early := s.Count("/v1/events")
		c.wait(20 * time.Second)
		late := s.Count("/v1/events")
		if late-before < 1200 || early-before > (late-before)/2 {
			t.Errorf("%d changes caused %d events at first, %d in the end", len(changed), early-before, late-before)
		}
		if first != nil && !slices.Equal(first, changed) {
			t.Error("the same seed made other changes")
		}
		first = changed
		types := map[string]bool{}
		for _, raw := range s.Truth("/v1/events") {
			kind := decode[struct{ Type string }](t, raw).Type
			types[kind[strings.LastIndexByte(kind, '.'):]] = true
		}
		for _, want := range []string{".created", ".updated", ".deleted"} {
			if !types[want] {
				t.Errorf("no event of type *%s", want)
			}
		}
	}
}

// TestTrafficRuns runs traffic for a moment of real time.
func TestTrafficRuns(t *testing.T) {
	s := New(Options{})
	before := s.Count("/v1/events")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	n, err := s.Traffic(1, "/v1/charges").Run(ctx, 500)
	if maximum := int(500*time.Since(begin).Seconds()) + 1; err != nil || n == 0 || n > maximum || s.Count("/v1/events")-before != n {
		t.Errorf("%d changes of at most %d, %d events: %v", n, maximum, s.Count("/v1/events")-before, err)
	}
}

// BenchmarkTraffic measures a change in an account that has already had up to b.N of them.
func BenchmarkTraffic(b *testing.B) {
	c := newClock()
	options := c.options()
	options.EventDelay = 20 * time.Second
	s := New(options)
	traffic := s.Traffic(1, busy...)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := traffic.Change(); err != nil {
			b.Fatal(err)
		}
		if n++; n%140 == 0 {
			c.wait(time.Second)
		}
	}
	// Reading a page of charges must be as cheap as before.
	begin := time.Now()
	call(b, s, "/v1/charges?limit=100&expand[]=data.refunds")
	b.ReportMetric(float64(time.Since(begin).Microseconds()), "µs/page")
}
