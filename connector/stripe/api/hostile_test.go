package api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// endless is a body that has rate bytes in each second and no end. It ends with its request.
type endless struct {
	req  *http.Request
	rate int
}

func (e *endless) Read(b []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return copy(b, strings.Repeat(" ", min(e.rate, len(b)))), nil
	case <-e.req.Context().Done():
		return 0, e.req.Context().Err()
	}
}

func (*endless) Close() error { return nil }

// TestOneUpstreamDoesNotStallOthers has an address with many accounts whose answers never end, and ten good accounts of Stripe's:
// these get all they ask for while the others hold what they can get.
func TestOneUpstreamDoesNotStallOthers(t *testing.T) {
	for name, rate := range map[string]int{"a byte per second": 1, "ever more": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var held atomic.Int64
				transport := roundTrip(func(req *http.Request) (*http.Response, error) {
					if req.URL.Host != "hostile.example" {
						return answer(req, 200, nil, list), nil
					}
					held.Add(1)
					res := answer(req, 200, nil, list)
					res.Body, res.ContentLength = io.NopCloser(&endless{req, rate}), -1
					return res, nil
				})
				limits := limit.NewRegistry()
				var attack sync.WaitGroup
				ended := make(chan struct{})
				for account := range 20 {
					c := api.New(api.Options{Key: connector.NewSecret(fmt.Sprintf("rk_live_%d", account)), Base: "https://hostile.example",
						Transport: transport, Limits: limits, Retry: api.Retry{Budget: time.Nanosecond}})
					for range 10 {
						attack.Go(func() { _, _ = c.List(t.Context(), "/v1/charges", nil) })
					}
				}
				synctest.Wait()
				go func() {
					attack.Wait()
					close(ended)
				}()
				began := time.Now()
				var good sync.WaitGroup
				for account := range 10 {
					c := api.New(api.Options{Key: connector.NewSecret(fmt.Sprintf("rk_live_good%d", account)), Transport: transport, Limits: limits})
					good.Go(func() {
						for range 5 {
							if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil {
								t.Error(err)
							}
						}
					})
				}
				good.Wait()
				if took := time.Since(began); took > time.Second {
					t.Errorf("five requests of each of ten good accounts took %s", took)
				}
				if held.Load() == 0 {
					t.Error("nothing was attacked")
				}
				<-ended
			})
		})
	}
}

// TestSlowAnswerIsCutOff has an answer that arrives a byte per second: its attempt ends long before the limit of 90 seconds.
func TestSlowAnswerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := api.New(api.Options{Key: connector.NewSecret(key), Retry: api.Retry{Budget: time.Nanosecond},
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				res := answer(req, 200, nil, list)
				res.Body, res.ContentLength = io.NopCloser(&endless{req, 1}), -1
				return res, nil
			})})
		began := time.Now()
		_, err := c.List(t.Context(), "/v1/charges", nil, api.Shrinkable)
		if took := time.Since(began); took > 30*time.Second || !api.IsBroken(err) {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// TestSteadyAnswerIsNotCutOff has an answer that takes half a minute, and progresses all the time.
func TestSteadyAnswerIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := api.New(api.Options{Key: connector.NewSecret(key), Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			res := answer(req, 200, nil, list)
			res.Body = io.NopCloser(io.MultiReader(io.LimitReader(&endless{req, 8 << 10}, 240<<10), strings.NewReader(list)))
			res.ContentLength = -1
			return res, nil
		})})
		if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil {
			t.Error(err)
		}
	})
}
