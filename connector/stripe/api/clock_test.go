package api_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// skewed is a simulated Stripe whose clock differs from the local one, behind a slow network.
type skewed struct {
	ahead    time.Duration // of the local clock
	way      time.Duration // one-way latency
	header   http.Header   // overrides headers of the response
	status   int           // 200 by default
	withhold bool          // omits Request-Id

	sent time.Time // Stripe's time when the last request was sent
}

func (s *skewed) RoundTrip(req *http.Request) (*http.Response, error) {
	s.sent = time.Now().Add(s.ahead)
	time.Sleep(s.way)
	header := http.Header{
		"Content-Type": {"application/json"},
		"Date":         {time.Now().Add(s.ahead).UTC().Format(http.TimeFormat)},
	}
	time.Sleep(s.way)
	for name, values := range s.header {
		header[name] = values
	}
	status, body := 200, list
	if s.status != 0 {
		status, body = s.status, `{"error":{"type":"invalid_request_error","message":"no"}}`
	}
	res := answer(req, status, header, body)
	if s.withhold {
		res.Header.Del("Request-Id")
	}
	return res, nil
}

// ask makes one request and ignores its failure.
func ask(t *testing.T, c *api.Client) *api.Page {
	page, _ := c.List(t.Context(), "/v1/charges", nil)
	return page
}

// wrong returns the error of a Client's idea of Stripe's time.
func (s *skewed) wrong(c *api.Client) time.Duration {
	return c.Now().Sub(time.Now().Add(s.ahead)).Abs()
}

func TestNowIsStripeTime(t *testing.T) {
	tests := map[string]struct {
		skewed
		skew bool // whether the local clock is noticeably wrong
	}{
		"right":             {skewed{way: 50 * time.Millisecond}, false},
		"ten minutes fast":  {skewed{ahead: -10 * time.Minute, way: 50 * time.Millisecond}, true},
		"ten minutes slow":  {skewed{ahead: 10 * time.Minute, way: 50 * time.Millisecond}, true},
		"years slow":        {skewed{ahead: 20 * 365 * 24 * time.Hour}, true},
		"a slow network":    {skewed{ahead: -time.Hour, way: 4 * time.Second}, true},
		"a refusal":         {skewed{ahead: time.Hour, status: 403}, true},
		"an invalid key":    {skewed{ahead: time.Hour, status: 401}, true},
		"in fractions":      {skewed{ahead: 10*time.Minute + 437*time.Millisecond, way: 3 * time.Millisecond}, true},
		"an Age of nothing": {skewed{ahead: time.Hour, header: http.Header{"Age": {"0"}}}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond) // start at a random fraction of a second
				c := client(&test.skewed)
				if c.IsSynced() || c.Skew() != 0 || !c.Now().Equal(time.Now()) {
					t.Errorf("before the first response: synced %v, skew %v, now %v", c.IsSynced(), c.Skew(), c.Now())
				}
				sent := time.Now().Add(test.ahead)
				page := ask(t, c)
				promise := time.Second + test.way
				if wrong := test.wrong(c); wrong > promise || !c.IsSynced() {
					t.Errorf("after one response: wrong by %v, promised %v; synced %v", wrong, promise, c.IsSynced())
				}
				if skewed := c.Skew().Abs() > 2*time.Second; skewed != test.skew || test.skew && (c.Skew()+test.ahead).Abs() > promise {
					t.Errorf("the skew is %v", c.Skew())
				}
				if page != nil && !page.AsOf.IsZero() && page.AsOf.Sub(sent).Abs() > promise {
					t.Errorf("AsOf is %v, but the page was requested at %v", page.AsOf, sent)
				}
				for range 50 {
					time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
					ask(t, c)
				}
				if wrong, promise := test.wrong(c), 150*time.Millisecond+test.way; wrong > promise {
					t.Errorf("after many responses: wrong by %v, promised %v", wrong, promise)
				}
			})
		})
	}
}

// TestAsOfIsCertain checks that no page claims to be more recent than it is, with a local clock that is up to seconds wrong, and that the
// times of pages keep their order.
func TestAsOfIsCertain(t *testing.T) {
	for _, ahead := range []time.Duration{0, 400 * time.Millisecond, -400 * time.Millisecond, -90 * time.Second, 90 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &skewed{ahead: ahead}
				c := client(s)
				var last time.Time
				for n := range 200 {
					s.way = time.Duration(rand.IntN(2000)>>rand.IntN(10)) * time.Millisecond
					at := ask(t, c).AsOf
					if early := s.sent.Sub(at); early < 0 || early > time.Second+2*s.way {
						t.Fatalf("page %d is as of %v, but was requested at %v", n, at, s.sent)
					}
					if at.Before(last) || c.AsOf().Before(at) {
						t.Fatalf("page %d is as of %v, after %v; now %v", n, at, last, c.AsOf())
					}
					time.Sleep(time.Duration(rand.IntN(2000)>>rand.IntN(12)) * time.Millisecond)
					last = c.AsOf()
				}
				if early := time.Now().Add(s.ahead).Sub(c.AsOf()); early > 100*time.Millisecond {
					t.Errorf("after many pages, AsOf is %v too early", early)
				}
			})
		})
	}
}

// TestNowKeepsACorrectClock uses a correct local clock, so Date never contradicts it.
func TestNowKeepsACorrectClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &skewed{way: 100 * time.Millisecond}
		c := client(s)
		for range 100 {
			ask(t, c)
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
			if c.Skew() != 0 || !c.Now().Equal(time.Now()) {
				t.Fatalf("the skew is %v", c.Skew())
			}
		}
	})
}

func TestNowIgnoresUnusableDates(t *testing.T) {
	old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)
	tests := map[string]skewed{
		"no Date":          {header: http.Header{"Date": nil}},
		"an odd Date":      {header: http.Header{"Date": {"yesterday"}}},
		"a cached answer":  {header: http.Header{"Date": {old}, "Age": {"30000000"}}},
		"an odd Age":       {header: http.Header{"Date": {old}, "Age": {"old"}}},
		"a proxy's answer": {header: http.Header{"Date": {old}, "Content-Type": {"text/html"}}, withhold: true, status: 403},
	}
	for name, odd := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(&odd)
				ask(t, c)
				if c.IsSynced() || c.Skew() != 0 {
					t.Errorf("synced %v, skew %v", c.IsSynced(), c.Skew())
				}
			})
		})
	}
}

// TestNowSurvivesASingleWrongDate mixes in responses of a cache that doesn't set Age.
func TestNowSurvivesASingleWrongDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &skewed{ahead: time.Hour, way: 10 * time.Millisecond}
		c := client(s)
		for i := range 30 {
			s.header = nil
			if i%3 == 2 {
				s.header = http.Header{"Date": {time.Now().Add(-time.Duration(i) * time.Hour).UTC().Format(http.TimeFormat)}}
			}
			ask(t, c)
			time.Sleep(time.Second)
			if wrong := s.wrong(c); wrong > time.Second+s.way {
				t.Fatalf("response %d: wrong by %v", i, wrong)
			}
		}
	})
}

// TestNowFollowsJumps changes Stripe's time, which is indistinguishable from a jump of the local clock.
func TestNowFollowsJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &skewed{way: 10 * time.Millisecond}
		c := client(s)
		for _, ahead := range []time.Duration{0, time.Hour, -time.Hour, 3 * time.Second, 0} {
			s.ahead = ahead
			for range 2 {
				time.Sleep(time.Second)
				ask(t, c)
			}
			if wrong := s.wrong(c); wrong > time.Second+s.way {
				t.Errorf("%v ahead: wrong by %v", ahead, wrong)
			}
		}
	})
}

// TestNowFollowsDrift uses a local clock that loses 100 ms in a thousand seconds, for a day.
func TestNowFollowsDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &skewed{way: 10 * time.Millisecond}
		c := client(s)
		for range 24 * 60 {
			time.Sleep(time.Minute)
			s.ahead += 6 * time.Millisecond
			ask(t, c)
			if wrong := s.wrong(c); wrong > time.Second+s.way {
				t.Fatalf("%v ahead: wrong by %v", s.ahead, wrong)
			}
		}
		if s.ahead < 8*time.Second {
			t.Errorf("drifted by only %v", s.ahead)
		}
	})
}

// TestNowWithInjectedClock injects a clock that stands still, as tests do.
func TestNowWithInjectedClock(t *testing.T) {
	date := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		w.Header().Set("Request-Id", "req_1")
		_, _ = w.Write([]byte(list))
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, local := range []time.Time{date.Add(300 * time.Millisecond), date.Add(-42 * time.Hour)} {
		c := api.New(api.Options{Key: connector.NewSecret(key), Base: server.URL, Transport: transport, Now: func() time.Time { return local }})
		page := ask(t, c)
		if wrong := c.Now().Sub(date); wrong < 0 || wrong > time.Second {
			t.Errorf("%v: Stripe's time is %v", local, c.Now())
		}
		if !page.AsOf.Equal(date) {
			t.Errorf("%v: the page is as of %v", local, page.AsOf)
		}
	}
}
