package api_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// refused is a network error.
var refused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// TestOutageIsWaitedForOnce makes many calls, sequentially and concurrently, while Stripe can't be reached.
func TestOutageIsWaitedForOnce(t *testing.T) {
	tests := map[string]roundTrip{
		"refused": func(*http.Request) (*http.Response, error) { return nil, refused },
		"a gateway": func(req *http.Request) (*http.Response, error) {
			return foreign(req, 502, http.Header{"Content-Type": {"text/html"}}, "<html>"), nil
		},
		"unavailable": func(req *http.Request) (*http.Response, error) {
			return foreign(req, 503, nil, stripeError("", "", "Service unavailable")), nil
		},
	}
	for name, stripe := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(stripe)
				began := time.Now()
				for range 20 {
					var calls sync.WaitGroup
					for range 10 {
						calls.Go(func() {
							if _, err := c.List(t.Context(), "/v1/charges", nil); !api.IsUnreachable(err) {
								t.Errorf("got %v", err)
							}
						})
					}
					calls.Wait()
				}
				if waited := time.Since(began); waited < time.Minute || waited > 3*time.Minute {
					t.Errorf("waited for %v", waited)
				}
			})
		})
	}
}

// TestEachOutageHasItsOwnBudget has Stripe respond between outages that are almost as long as the budget, which is used up
// whatever the jitter of the waits.
func TestEachOutageHasItsOwnBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := time.Now()
		c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
			if time.Now().Before(until) {
				return nil, refused
			}
			return answer(req, 403, nil, stripeError("", "", "no")), nil // any response ends the outage
		}))
		for range 50 {
			until = time.Now().Add(119 * time.Second)
			if _, err := c.List(t.Context(), "/v1/charges", nil); api.IsUnreachable(err) {
				t.Fatalf("gave up: %v", err)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestBrokenPageFailsFast measures the attempts and the time until a caller can request a smaller page.
func TestBrokenPageFailsFast(t *testing.T) {
	cutShort := func(req *http.Request) (*http.Response, error) { return answer(req, 200, nil, list[:40]), nil }
	failing := func(req *http.Request) (*http.Response, error) {
		return answer(req, 500, nil, stripeError("", "", "An unknown error occurred")), nil
	}
	slow := func(req *http.Request) (*http.Response, error) {
		time.Sleep(25 * time.Second)
		return failing(req)
	}
	unreachable := func(*http.Request) (*http.Response, error) { return nil, refused }
	limited := func(req *http.Request) (*http.Response, error) {
		return answer(req, 429, nil, stripeError("rate_limit", "", "Request rate limit exceeded")), nil
	}
	tests := map[string]struct {
		stripe      roundTrip
		options     []api.Option
		requests    int64 // 0 means many
		least, most time.Duration
		broken      bool
	}{
		"cut short, smaller":  {cutShort, []api.Option{api.Shrinkable}, 2, 0, 2 * time.Second, true},
		"failing, smaller":    {failing, []api.Option{api.Shrinkable}, 2, 0, 2 * time.Second, true},
		"failing, without":    {failing, []api.Option{api.Expendable}, 3, 0, 4 * time.Second, true},
		"failing, probing":    {failing, []api.Option{api.Probing}, 1, 0, 0, true},
		"slow, smaller":       {slow, []api.Option{api.Shrinkable}, 1, 0, 26 * time.Second, true},
		"failing":             {failing, nil, 0, time.Minute, 2 * time.Minute, true},
		"unreachable":         {unreachable, []api.Option{api.Shrinkable}, 0, time.Minute, 2 * time.Minute, false},
		"at the rate limit":   {limited, []api.Option{api.Shrinkable}, 0, time.Minute, 2 * time.Minute, false},
		"cut short, no other": {cutShort, nil, 0, time.Minute, 2 * time.Minute, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(test.stripe)
				began := time.Now()
				_, err := c.List(t.Context(), "/v1/charges", nil, test.options...)
				took, requests := time.Since(began), c.Meter.Requests()
				if err == nil || api.IsBroken(err) != test.broken {
					t.Errorf("got %v", err)
				}
				if took < test.least || took > test.most || test.requests != 0 && requests != test.requests || test.requests == 0 && requests < 5 {
					t.Errorf("%d requests in %v", requests, took)
				}
			})
		})
	}
}

func TestBrokenObjectFailsFast(t *testing.T) {
	for _, options := range [][]api.Option{nil, {api.Expendable}} {
		synctest.Test(t, func(t *testing.T) {
			c := refuse("", 500, stripeError("", "", "An unknown error occurred"))
			began := time.Now()
			_, err := c.Get(t.Context(), "/v1/charges/ch_1", nil, options...)
			took, requests := time.Since(began), c.Meter.Requests()
			if soon := took < 4*time.Second && requests == 3; !api.IsBroken(err) || soon != (options != nil) {
				t.Errorf("%d requests in %v: %v", requests, took, err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the start of time in a synctest bubble
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := map[string]struct {
		value, date string
		least, most time.Duration // wait before the first retry
		asks        time.Duration // RetryAfter of the final Failure
	}{
		"none":               {"", "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
		"seconds":            {"7", "", 7 * time.Second, 7 * time.Second, 7 * time.Second},
		"at once":            {"0", "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
		"a day":              {"86400", "", time.Minute, time.Minute, time.Hour},
		"forever":            {"99999999999999999999999", "", time.Minute, time.Minute, time.Hour},
		"less than none":     {"-5", "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
		"garbage":            {"soon", "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
		"a fraction":         {"1.5", "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
		"a date":             {date(20 * time.Second), "", 20 * time.Second, 20 * time.Second, -1},
		"a date, long gone":  {date(-time.Hour), "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
		"a date, far away":   {date(30 * 24 * time.Hour), "", time.Minute, time.Minute, time.Hour},
		"a date of a server": {date(10*time.Hour + 20*time.Second), date(10 * time.Hour), 20 * time.Second, 20 * time.Second, 20 * time.Second},
		"an odd date":        {"Mon, 99 Jan 2000 00:00:00 GMT", "", 250 * time.Millisecond, 750 * time.Millisecond, 0},
	}
	for name, test := range tests {
		for status, body := range map[int]string{429: stripeError("rate_limit", "", "slow down"), 503: "<html>"} {
			t.Run(fmt.Sprint(name, ", ", status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var times []time.Time
					c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
						times = append(times, time.Now())
						return foreign(req, status, http.Header{"Retry-After": {test.value}, "Date": {test.date}}, body), nil
					}))
					_, err := c.List(t.Context(), "/v1/charges", nil)
					failure, ok := errors.AsType[*connector.Failure](err)
					if !ok || !failure.Retryable || test.asks >= 0 && failure.RetryAfter != test.asks {
						t.Errorf("got %+v", failure)
					}
					if wait := times[1].Sub(times[0]); wait < test.least || wait > test.most {
						t.Errorf("waited for %v", wait)
					}
					// The limiter, which has backed off, may delay the last attempt a little.
					if took := times[len(times)-1].Sub(times[0]); took > 2*time.Minute+time.Second {
						t.Errorf("the last attempt was made after %v", took)
					}
				})
			})
		}
	}
}

// TestCauseOfWaitIsVisible checks what a Read's Meter reports that it is waiting for.
func TestCauseOfWaitIsVisible(t *testing.T) {
	tests := map[string]struct {
		stripe  roundTrip
		rate    float64
		after   time.Duration // when the Meter is checked
		cause   connector.WaitCause
		says    string
		until   bool // the end of the wait is known
		waiting bool
	}{
		"a failure": {func(req *http.Request) (*http.Response, error) {
			return answer(req, 500, nil, stripeError("", "", "An unknown error occurred")), nil
		}, 0, 10 * time.Second, connector.WaitForRetry, "Retrying /v1/charges: Stripe could not respond", true, true},
		"a network": {func(*http.Request) (*http.Response, error) { return nil, refused }, 0,
			2 * time.Second, connector.WaitForRetry, "refuses connections", true, true},
		"a gateway": {func(req *http.Request) (*http.Response, error) {
			return foreign(req, 502, nil, "<html>"), nil
		}, 0, 10 * time.Second, connector.WaitForRetry, "A proxy or gateway answered instead of Stripe", true, true},
		"no response": {func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}, 0, 10 * time.Second, api.WaitForResponse, "Waiting for Stripe's response to /v1/charges", false, true},
		"no response twice": {func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}, 0, 100 * time.Second, api.WaitForResponse, "did not respond in time", false, true},
		"a quick response": {func(req *http.Request) (*http.Response, error) {
			time.Sleep(4 * time.Second)
			return answer(req, 200, nil, list), nil
		}, 0, 3 * time.Second, "", "", false, false},
		"the rate": {func(req *http.Request) (*http.Response, error) { return answer(req, 200, nil, list), nil },
			0.02, 10 * time.Second, connector.WaitForRate, "rate limit at /v1/charges", true, true},
		"nothing": {func(req *http.Request) (*http.Response, error) { return answer(req, 200, nil, list), nil },
			0, 10 * time.Second, "", "", false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := api.New(api.Options{Key: connector.NewSecret(key), Transport: test.stripe, MaxRequestsPerSecond: test.rate})
				ctx, cancel := context.WithCancel(t.Context())
				began := time.Now()
				var calls sync.WaitGroup
				for range 2 {
					calls.Go(func() { _, _ = c.List(ctx, "/v1/charges", nil) })
				}
				time.Sleep(test.after)
				w, waiting := c.Meter.Waiting()
				if waiting != test.waiting || w.Cause != test.cause && test.cause != connector.WaitForRetry || waiting && !strings.Contains(w.String(), test.says) {
					t.Errorf("got %+v, %v: %s", w, waiting, w)
				}
				if known := w.Until.After(time.Now()); known != test.until || known && !c.Meter.WaitingUntil(time.Now()).After(time.Now()) {
					t.Errorf("Until is %v", w.Until)
				}
				if waiting && w.Since.Sub(began) > time.Second {
					t.Errorf("Since is %v after the start", w.Since.Sub(began))
				}
				if (w.Failure != nil) != (test.cause == connector.WaitForRetry || name == "no response twice") {
					t.Errorf("Failure is %v", w.Failure)
				}
				cancel()
				calls.Wait()
				if w, waiting := c.Meter.Waiting(); waiting || !c.Meter.WaitingUntil(time.Now()).IsZero() {
					t.Errorf("still waiting at the end: %s", w)
				}
			})
		})
	}
}
