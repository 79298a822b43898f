package stripe_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
)

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestCheckIsBounded has a Stripe that answers for charges and for nothing else.
func TestCheckIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := stripe.New(stripe.Options{Transport: transportFunc(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path != "/v1/charges" {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return &http.Response{
				StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
				Header: http.Header{"Request-Id": {"req_1"}, "Content-Type": {"application/json"}},
				Body:   io.NopCloser(strings.NewReader(`{"object":"list","data":[],"has_more":false}`)),
			}, nil
		})})
		began := time.Now()
		result, err := source.Check(t.Context(), connector.CheckRequest{Config: connector.NewConfig(`{"api_key":"rk_test_1"}`)})
		if err != nil || len(result.Problems) != 1 || result.Problems[0].Class != connector.Transient {
			t.Errorf("got %+v, %v", result, err)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
