package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

const key = "sk_test_PlantedSecret123"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roundTrip is a simulated Stripe that needs no network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func answer(req *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	header.Set("Request-Id", "req_1")
	return foreign(req, status, header, body)
}

// foreign returns a response without Stripe's headers.
func foreign(req *http.Request, status int, header http.Header, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}
}

func client(transport http.RoundTripper) *api.Client {
	return api.New(api.Options{Key: connector.NewSecret(key), Account: "acct_1", Transport: api.ReadOnly(transport)})
}

const list = `{"object":"list","data":[{"id":"ch_1","object":"charge","created":5}],"has_more":true}`

func TestListSendsWhatStripeNeeds(t *testing.T) {
	var got *http.Request
	c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
		got = req
		return answer(req, 200, nil, list), nil
	}))
	page, err := c.List(t.Context(), "/v1/charges", map[string][]string{"created[gte]": {"5"}, "limit": {"100"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Objects) != 1 || page.Objects[0].ID != "ch_1" || !page.HasMore {
		t.Errorf("got %+v", page)
	}
	if want := "https://api.stripe.com/v1/charges?created%5Bgte%5D=5&limit=100"; got.URL.String() != want {
		t.Errorf("requested %s, want %s", got.URL, want)
	}
	for name, want := range map[string]string{
		"Authorization":              "Bearer " + key,
		"Stripe-Version":             "2023-10-16",
		"Stripe-Account":             "acct_1",
		"Content-Type":               "",
		"X-Stripe-Client-User-Agent": "",
		"X-Stripe-Client-Telemetry":  "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

func TestErrorsOfStripe(t *testing.T) {
	stripeError := func(code, message string) string {
		return fmt.Sprintf(`{"error":{"type":"invalid_request_error","code":%q,"message":%q}}`, code, message)
	}
	tests := map[string]struct {
		status  int
		body    string
		header  http.Header
		class   connector.Class
		retried bool
	}{
		"wrong key":           {401, stripeError("", "Invalid API Key provided: sk_test_****t123"), nil, connector.AuthError, false},
		"expired key":         {401, stripeError("api_key_expired", "Expired API Key provided: "+key), nil, connector.AuthError, false},
		"other account":       {403, stripeError("account_invalid", "The provided key does not have access to account 'acct_1'"), nil, connector.AuthError, false},
		"no permission":       {403, stripeError("", "The provided key 'rk_test_****' does not have the required permissions for this endpoint"), nil, connector.PermissionError, false},
		"no permission, live": {401, stripeError("", "The provided key 'rk_live_****' does not have the required permissions for this endpoint"), nil, connector.PermissionError, false},
		"forbidden":           {403, stripeError("more_permissions_required", "no"), nil, connector.PermissionError, false},
		"Issuing":             {400, stripeError("", "Your account is not set up to use Issuing."), nil, connector.PermissionError, false},
		"Treasury":            {404, stripeError("", "Unrecognized request URL (GET: /v1/treasury/transactions)."), nil, connector.PermissionError, false},
		"unknown":             {400, stripeError("parameter_unknown", "Received unknown parameter: x"), nil, connector.SourceData, false},
		"gone":                {404, stripeError("resource_missing", "No such charge: 'ch_1'"), nil, connector.SourceData, false},
		"rate":                {429, stripeError("rate_limit", "Request rate limit exceeded"), http.Header{"Stripe-Rate-Limited-Reason": {"global-rate"}}, connector.RateLimit, true},
		"lock":                {429, stripeError("lock_timeout", "This object can't be accessed"), nil, connector.Transient, true},
		"conflict":            {409, stripeError("", "conflict"), nil, connector.Transient, true},
		"broken":              {500, `{"error":{"type":"api_error","message":"sorry"}}`, nil, connector.Transient, true},
		"should not retry":    {500, `{"error":{"type":"api_error","message":"sorry"}}`, http.Header{"Stripe-Should-Retry": {"false"}}, connector.Transient, false},
		"should retry":        {400, stripeError("", "again"), http.Header{"Stripe-Should-Retry": {"true"}}, connector.SourceData, true},
		"HTML":                {502, "<html>secret customer</html>", http.Header{"Content-Type": {"text/html"}}, connector.Transient, true},
		"HTML 403":            {403, "<html>secret customer</html>", nil, connector.PermissionError, false},
		"HTML 429":            {429, "<html>proxy</html>", nil, connector.RateLimit, true},
		"empty 404":           {404, "", nil, connector.SourceData, false},
		"200 truncated":       {200, list[:30], nil, connector.Transient, true},
		"200 empty":           {200, "", nil, connector.Transient, true},
		"200 HTML":            {200, "<html>secret customer</html>", nil, connector.Transient, true},
		"200 no list":         {200, `{"id":"ch_1"}`, nil, connector.Transient, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
					attempts++
					return answer(req, test.status, test.header.Clone(), test.body), nil
				}))
				_, err := c.List(t.Context(), "/v1/charges", nil)
				failure, ok := errors.AsType[*connector.Failure](err)
				if !ok {
					t.Fatalf("got %v, want a Failure", err)
				}
				if failure.Class != test.class || failure.HTTPStatus != test.status || failure.RequestID != "req_1" {
					t.Errorf("got %+v", failure)
				}
				if retried := attempts > 1; retried != test.retried || int64(attempts-1) != c.Meter.Retries() {
					t.Errorf("made %d attempts, counted %d retries", attempts, c.Meter.Retries())
				}
				if text := failure.Message + failure.Internal; strings.Contains(text, "Planted") || strings.Contains(text, "secret") {
					t.Errorf("the failure reveals a secret: %s", text)
				}
			})
		})
	}
}

func TestRetriesBackOffAndGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
			times = append(times, time.Now())
			return nil, errors.New("connection refused to " + key)
		}))
		began := time.Now()
		_, err := c.List(t.Context(), "/v1/charges", nil)
		failure, ok := errors.AsType[*connector.Failure](err)
		if !ok || failure.Class != connector.Transient || strings.Contains(failure.Internal, key) {
			t.Fatalf("got %v", err)
		}
		if spent := time.Since(began); spent > 5*time.Minute || spent < time.Minute {
			t.Errorf("gave up after %v", spent)
		}
		first, longest := times[1].Sub(times[0]), time.Duration(0)
		for i := range times[1:] { // the last one ends with the budget
			longest = max(longest, times[i+1].Sub(times[i]))
		}
		if first > time.Second || longest < 10*time.Second || longest > time.Minute {
			t.Errorf("the first wait took %v, the longest %v", first, longest)
		}
	})
}

func TestRetryAfterIsHonored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				return answer(req, 429, http.Header{"Retry-After": {"7"}}, `{"error":{"code":"rate_limit"}}`), nil
			}
			return answer(req, 200, nil, list), nil
		}))
		began := time.Now()
		if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < 7*time.Second || c.Meter.Waited() != waited {
			t.Errorf("waited %v, counted %v", waited, c.Meter.Waited())
		}
	})
}

func TestCancelEndsWaitsAndAttempts(t *testing.T) {
	tests := map[string]roundTrip{
		"while waiting": func(req *http.Request) (*http.Response, error) {
			return answer(req, 500, nil, `{"error":{"type":"api_error"}}`), nil
		},
		"in an attempt": func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		},
	}
	for name, stripe := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, err := client(stripe).List(ctx, "/v1/charges", nil)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 1100*time.Millisecond {
					t.Errorf("got %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

func TestHangingAttemptIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return answer(req, 200, nil, list), nil
		}))
		if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil || attempts != 2 {
			t.Errorf("got %v after %d attempts", err, attempts)
		}
	})
}

func TestTruncatedBody(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			w.Header().Set("Content-Length", fmt.Sprint(len(list)))
			_, _ = io.WriteString(w, list[:20])
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, list)
	}))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := api.New(api.Options{Key: connector.NewSecret(key), Base: server.URL, Transport: transport, Retry: api.Retry{Initial: time.Millisecond}})
	page, err := c.List(t.Context(), "/v1/charges", nil)
	if err != nil || len(page.Objects) != 1 || c.Meter.Requests() != 2 {
		t.Errorf("got %+v, %v after %d requests", page, err, c.Meter.Requests())
	}
}

func TestResponsesThatAreNotObjects(t *testing.T) {
	requests := 0
	c := api.New(api.Options{Key: connector.NewSecret(key), Retry: api.Retry{Initial: time.Millisecond}, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		requests++
		return answer(req, http.StatusOK, nil, []string{`{"status":"ok"}`, ``, `[]`, `{"id":"ch_1","object":"charge"}`}[requests-1]), nil
	})})
	object, err := c.Get(t.Context(), "/v1/charges/ch_1", nil)
	if err != nil || object.ID != "ch_1" || requests != 4 {
		t.Errorf("got %+v, %v after %d requests", object, err, requests)
	}
}

func TestTransportIsReadOnly(t *testing.T) {
	transport := api.ReadOnly(roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("the request went through")
		return nil, io.EOF
	}))
	for _, method := range []string{"POST", "DELETE", "PUT", "PATCH", "HEAD"} {
		req := httptest.NewRequest(method, "https://api.stripe.com/v1/charges", nil)
		if _, err := transport.RoundTrip(req); err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("%s: got %v", method, err)
		}
	}
}
