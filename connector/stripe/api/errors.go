package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// fault is a Failure with the details that this package's predicates need.
type fault struct {
	*connector.Failure
	call *call

	refused     bool // Stripe rejected this request
	broken      bool // Stripe failed to serve the request completely
	unreachable bool // there was no response from Stripe, so the fault says nothing about the request

	param string // the parameter that Stripe rejected
	words string // Stripe's error message
	limit string // the rate limit that was exceeded, as Stripe names it
}

// Unwrap returns the Failure.
func (f *fault) Unwrap() error { return f.Failure }

// isPaced reports whether f is a 429 for a limit that the limiter now enforces itself.
func (f *fault) isPaced() bool {
	return f.HTTPStatus == http.StatusTooManyRequests && limit.IsPaced(f.limit)
}

// fault returns a fault for a call with a response.
func (c *Client) fault(call *call, res *http.Response) *fault {
	return &fault{call: call, Failure: &connector.Failure{
		Account:    c.options.Account,
		RequestID:  res.Header.Get("Request-Id"),
		HTTPStatus: res.StatusCode,
	}}
}

// isFromStripe reports whether a response comes from Stripe rather than from an intermediary. All responses of Stripe have
// one of these headers, except some about locks.
func isFromStripe(header http.Header) bool {
	return header.Get("Request-Id") != "" || header.Get(versionHeader) != ""
}

// refused turns a response other than 200 into a fault. See https://docs.stripe.com/error-handling.
func (c *Client) refused(call *call, res *http.Response, body []byte) error {
	e, ok := errors.AsType[*stripe.Error](c.backend.ResponseToError(res, body))
	switch {
	case ok && (isFromStripe(res.Header) || e.Type != ""):
	case isFromStripe(res.Header) && res.StatusCode >= 400:
		e = &stripe.Error{Msg: fmt.Sprintf("%s, without an explanation", res.Status)}
	default:
		return c.foreign(call, res, fmt.Sprintf("%d bytes", len(body)))
	}
	c.reached.Store(true)
	rule := ruleOf(res.StatusCode, e, c.options.Account != "")
	f := c.fault(call, res)
	f.param, f.words, f.limit = e.Param, e.Msg, limit.Hit(res.Header)
	f.Class = rule.class
	f.SourceCode = string(e.Code)
	f.Message = rule.remedy + " Stripe says: " + c.scrub.clean(e.Msg)
	if permissions := permissionsIn(e.Msg); permissions != nil && rule.class == connector.PermissionError {
		f.Message = fmt.Sprintf("The API key can't read this: grant it the permission %s ("+dashboard+")%s Stripe says: %s",
			strings.Join(permissions, ", "), orDeselect, c.scrub.clean(e.Msg))
	}
	f.Internal = fmt.Sprintf("%s answered %d: type %s, code %s, param %s", call.path, res.StatusCode, e.Type, e.Code, c.scrub.clean(e.Param))
	f.RetryAfter = c.retryAfter(res.Header)
	f.Retryable = isRetryable(res.Header, rule.class)
	f.refused = res.StatusCode < 500 && rule.class != connector.RateLimit && rule.class != connector.Transient
	f.broken = res.StatusCode >= 500
	f.unreachable = res.StatusCode == http.StatusServiceUnavailable
	return f
}

// malformed returns the fault of a 200 response whose body is not what was expected.
func (c *Client) malformed(call *call, res *http.Response, err error) error {
	if !isFromStripe(res.Header) && isHTML(res.Header) {
		return c.foreign(call, res, "a web page")
	}
	f := c.fault(call, res)
	f.Class, f.Retryable, f.broken = connector.Transient, true, true
	f.Message = "Stripe's response arrived damaged. Try again later; if the problem persists, check proxies and api_base."
	f.Internal = fmt.Sprintf("%s answered 200 with %s: %v", call.path, contentType(res.Header), err)
	return f
}

// truncated returns the fault of a response that ended in the middle.
func (c *Client) truncated(ctx context.Context, call *call, res *http.Response, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	f := c.fault(call, res)
	f.Class, f.Retryable, f.broken = connector.Transient, true, true
	f.Message = "The connection to Stripe broke in the middle of a response. Try again later."
	f.Internal = c.scrub.secrets(err.Error())
	return f
}
