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

// fault is a Failure with what the predicates of this package need to know about it.
type fault struct {
	*connector.Failure
	call *call

	refused     bool // by Stripe, which said no to this request
	broken      bool // Stripe could not, or not wholly, serve what was asked for
	unreachable bool // it says nothing about what was asked for: there was no answer, or not Stripe's

	param string // the parameter that Stripe finds wrong
	words string // Stripe's own
	limit string // the rate limit that was hit, as Stripe names it
}

// Unwrap returns the Failure.
func (f *fault) Unwrap() error { return f.Failure }

// isPaced reports whether f is a 429 for a limit that the limiter now enforces itself.
func (f *fault) isPaced() bool {
	return f.HTTPStatus == http.StatusTooManyRequests && limit.Paces(f.limit)
}

// fault returns a fault of a call that was answered.
func (c *Client) fault(call *call, res *http.Response) *fault {
	return &fault{call: call, Failure: &connector.Failure{
		Account:    c.options.Account,
		RequestID:  res.Header.Get("Request-Id"),
		HTTPStatus: res.StatusCode,
	}}
}

// isStripes reports whether an answer comes from Stripe, and not from something in between. Stripe signs all its answers
// with one of these headers, but for some about locks.
func isStripes(header http.Header) bool {
	return header.Get("Request-Id") != "" || header.Get("Stripe-Version") != ""
}

// refused turns an answer that is not 200 into a fault. See https://docs.stripe.com/error-handling.
func (c *Client) refused(call *call, res *http.Response, body []byte) error {
	e, ok := errors.AsType[*stripe.Error](c.backend.ResponseToError(res, body))
	switch {
	case ok && (isStripes(res.Header) || e.Type != ""):
	case isStripes(res.Header) && res.StatusCode >= 400:
		e = &stripe.Error{Msg: fmt.Sprintf("%s, without an explanation", res.Status)}
	default:
		return c.foreign(call, res, fmt.Sprintf("%d bytes", len(body)))
	}
	c.met.Store(true)
	rule := ruleOf(res.StatusCode, e, c.options.Account != "")
	f := c.fault(call, res)
	f.param, f.words, f.limit = e.Param, e.Msg, limit.Hit(res.Header)
	f.Class = rule.class
	f.SourceCode = string(e.Code)
	f.Message = rule.remedy + " Stripe says: " + c.scrub.clean(e.Msg)
	if permissions := permissionsIn(e.Msg); permissions != nil && rule.class == connector.PermissionError {
		f.Message = fmt.Sprintf("The API key may not read this: give it the permission %s (Dashboard, Developers, API keys)%s Stripe says: %s",
			strings.Join(permissions, ", "), orDeselect, c.scrub.clean(e.Msg))
	}
	f.Internal = fmt.Sprintf("%s answered %d: type %s, code %s, param %s", call.path, res.StatusCode, e.Type, e.Code, c.scrub.clean(e.Param))
	f.RetryAfter = c.retryAfter(res.Header)
	f.Retryable = retryable(res.Header, rule.class)
	f.refused = res.StatusCode < 500 && rule.class != connector.RateLimit && rule.class != connector.Transient
	f.broken = res.StatusCode >= 500
	f.unreachable = res.StatusCode == http.StatusServiceUnavailable
	return f
}

// garbled is an answer of 200 whose body is not what it should be.
func (c *Client) garbled(call *call, res *http.Response, err error) error {
	if !isStripes(res.Header) && isHTML(res.Header) {
		return c.foreign(call, res, "a page for people")
	}
	f := c.fault(call, res)
	f.Class, f.Retryable, f.broken = connector.Transient, true, true
	f.Message = "Stripe's answer arrived damaged. Try again later; if it stays, look at proxies and at api_base."
	f.Internal = fmt.Sprintf("%s answered 200 with %s: %v", call.path, contentType(res.Header), err)
	return f
}

// brokenOff is an answer that ended in the middle.
func (c *Client) brokenOff(ctx context.Context, call *call, res *http.Response, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	f := c.fault(call, res)
	f.Class, f.Retryable, f.broken = connector.Transient, true, true
	f.Message = "The connection to Stripe broke in the middle of an answer. Try again later."
	f.Internal = c.scrub.secrets(err.Error())
	return f
}
