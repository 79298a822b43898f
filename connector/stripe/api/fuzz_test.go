package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// FuzzResponse checks that any response, whatever its status, headers and body, yields a page or a Failure that is bounded and
// doesn't contain the key.
func FuzzResponse(f *testing.F) {
	f.Add(200, "", "", "Wed, 15 Nov 2023 01:02:03 GMT", "req_1", "application/json", "", list)
	f.Add(429, "Too Many Requests", "3", "Wed, 15 Nov 2023 01:02:03 GMT", "req_1", "application/json", "", `{"error":{"type":"invalid_request_error","message":"m"}}`)
	f.Add(429, "", "Wed, 15 Nov 2023 01:02:04 GMT", "Wed, 15 Nov 2023 01:02:03 GMT", "", "text/html", "nginx", "<html>")
	f.Add(302, "Found", "-1", "yesterday", "", "text/html; charset=utf-8", "https://portal.invalid/?key="+key, "")
	f.Add(407, "Give "+key, "99999999999999999999", "", "", "", "\x1b[2J", "{")
	f.Add(401, "", "", "", "req_\n", "application/json", "", `{"error":{"message":"Invalid API Key provided: `+key+`"}}`)
	f.Fuzz(func(t *testing.T, status int, text, retryAfter, date, request, contentType, other, body string) {
		if status < 200 || status > 599 {
			return // net/http handles these
		}
		c := api.New(api.Options{Key: connector.NewSecret(key), Base: "https://stripe.invalid", Retry: api.Retry{Budget: time.Nanosecond},
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				header := http.Header{}
				for name, value := range map[string]string{
					"Retry-After": retryAfter, "Date": date, "Age": other, "Request-Id": request, "Content-Type": contentType, "Location": other, "Server": other, "Stripe-Should-Retry": other,
				} {
					if value != "" {
						header.Set(name, value)
					}
				}
				res := answer(req, status, header, body)
				res.Status = text
				return res, nil
			})})
		_, err := c.List(t.Context(), "/v1/charges", nil, api.Expendable)
		if err == nil {
			if status != 200 {
				t.Fatalf("a page with status %d", status)
			}
			return
		}
		failure, ok := errors.AsType[*connector.Failure](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		if failure.RetryAfter < 0 || failure.RetryAfter > time.Hour {
			t.Errorf("retry after %s", failure.RetryAfter)
		}
		all := failure.Message + failure.Internal + failure.RequestID + failure.SourceCode
		if strings.Contains(all, key) {
			t.Errorf("the failure reveals the key: %+v", failure)
		}
		if len(all) > 16<<10 {
			t.Errorf("the failure has %d bytes", len(all))
		}
		if !utf8.ValidString(all) {
			t.Errorf("the failure is not UTF-8: %q", all)
		}
	})
}
