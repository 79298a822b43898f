package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// refusal is an error of Stripe's, with what decides about it here and is of no use to the user.
type refusal struct {
	*connector.Failure
	param string // the parameter that Stripe finds wrong
	words string // Stripe's own
	limit string // the rate limit that was hit, as Stripe names it
}

// Unwrap gives the Failure.
func (r *refusal) Unwrap() error { return r.Failure }

// missing tells whether Stripe does not know the object that a parameter, or the path, names.
func (r *refusal) missing() bool { return r.SourceCode == string(stripe.ErrorCodeResourceMissing) }

// HasNone tells whether err says that the parent whose list was asked for does not exist (any more), or cannot have
// such a list. See https://docs.stripe.com/error-codes#resource-missing.
func HasNone(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && (r.missing() && r.param != startingAfter ||
		strings.Contains(r.words, "not on the legacy metered billing system") || // of a subscription item
		strings.Contains(r.words, "Could not find line items for this Checkout Session"))
}

// IsCursorGone tells whether err says that the object named by starting_after does not exist (any more), or matches
// the list's filter no more.
func IsCursorGone(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.missing() && r.param == startingAfter
}

// isPacedRefusal reports whether err is a 429 for a limit that the limiter now enforces itself.
func isPacedRefusal(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.HTTPStatus == http.StatusTooManyRequests && limit.Paces(r.limit)
}

const startingAfter = "starting_after"

// refused turns an answer that is not 200 into a Failure. See https://docs.stripe.com/error-handling.
func (c *Client) refused(res *http.Response, body []byte) error {
	decoded, ok := errors.AsType[*stripe.Error](c.backend.ResponseToError(res, body))
	if !ok {
		return c.notStripe(res, body)
	}
	failure := &connector.Failure{
		Class:      classify(res.StatusCode, decoded, c.options.Account != ""),
		Account:    c.options.Account,
		RequestID:  res.Header.Get("Request-Id"),
		HTTPStatus: res.StatusCode,
		SourceCode: string(decoded.Code),
		Internal:   fmt.Sprintf("%s answered %d: type %s, code %s, param %s", res.Request.URL.Path, res.StatusCode, decoded.Type, decoded.Code, decoded.Param),
		RetryAfter: retryAfter(res.Header),
	}
	failure.Message = advice(failure.Class) + " Stripe says: " + c.scrub.clean(decoded.Msg)
	failure.Retryable = retryable(res, failure.Class)
	return &refusal{Failure: failure, param: decoded.Param, words: decoded.Msg, limit: limit.Hit(res.Header)}
}

// classify says who can mend an error of Stripe's. connected tells whether the request named a connected account.
func classify(status int, e *stripe.Error, connected bool) connector.Class {
	switch {
	case lacksPermission(e.Msg), notEnabled(e.Msg):
		return connector.PermissionError // some come as 401, see notEnabled for 400 and 404
	case status == http.StatusUnauthorized, e.Code == stripe.ErrorCodeAccountInvalid && connected:
		return connector.AuthError // a connected account out of reach concerns every stream alike
	case status == http.StatusForbidden:
		return connector.PermissionError
	case e.Code == stripe.ErrorCodeLockTimeout:
		return connector.Transient
	case status == http.StatusTooManyRequests:
		return connector.RateLimit
	case status == http.StatusConflict, status >= 500:
		return connector.Transient
	case e.Code == stripe.ErrorCodeResourceMissing:
		return connector.SourceData
	}
	return connector.System // a request that Stripe finds wrong: we built it
}

// lacksPermission knows the words in which Stripe says that a restricted key may not do this. They come with 403, and
// for some live keys with 401. See https://docs.stripe.com/keys#limit-access.
func lacksPermission(message string) bool {
	return strings.Contains(message, "does not have the required permissions") ||
		strings.Contains(message, "required permissions are not available for use by restricted keys")
}

// notEnabled knows the words in which Stripe says that the account has no such product. They come with 400 for Issuing
// and with 404 for Treasury.
func notEnabled(message string) bool {
	return strings.Contains(message, "is not set up to use") ||
		strings.Contains(message, "Unrecognized request URL") ||
		strings.Contains(message, "Only Stripe Connect platforms can work with other accounts")
}

// advice tells the user what to do about a class of failures.
func advice(class connector.Class) string {
	switch class {
	case connector.AuthError:
		return "Stripe refused the API key or the account: check api_key (Dashboard, Developers, API keys) and account."
	case connector.PermissionError:
		return "The API key may not read this: give it the permission, or leave the stream out."
	case connector.RateLimit:
		return "Stripe's rate limit stayed exceeded: try again later, or let fewer clients use the account at once."
	case connector.Transient:
		return "Stripe could not answer for now: try again later."
	case connector.SourceData:
		return "Stripe does not know an object that it named before."
	case connector.ConfigError, connector.System:
	}
	return "Stripe refused a request that the connector built. This is a bug: please report it."
}

// retryable honours Stripe-Should-Retry, which Stripe's own libraries obey before anything else.
func retryable(res *http.Response, class connector.Class) bool {
	switch res.Header.Get("Stripe-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	return class == connector.RateLimit || class == connector.Transient
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Minute)
}

// isStripes reports whether an answer comes from Stripe, and not from something in between. Stripe signs all its answers
// with one of these headers, but for some about locks.
func isStripes(header http.Header) bool {
	return header.Get("Request-Id") != "" || header.Get("Stripe-Version") != ""
}

// notStripe is an error answer that is not Stripe's: HTML of something in between, or nothing at all.
func (c *Client) notStripe(res *http.Response, body []byte) error {
	failure := &connector.Failure{
		Class:      connector.Transient,
		Message:    fmt.Sprintf("Something between the connector and Stripe answered %s without an error of Stripe's. Try again later; if it stays, look at proxies and at api_base.", res.Status),
		Internal:   fmt.Sprintf("%s answered %d with %d bytes of %s", res.Request.URL.Path, res.StatusCode, len(body), contentType(res)),
		Retryable:  true,
		RetryAfter: retryAfter(res.Header),
		Account:    c.options.Account,
		RequestID:  res.Header.Get("Request-Id"),
		HTTPStatus: res.StatusCode,
	}
	if res.StatusCode == http.StatusTooManyRequests {
		failure.Class = connector.RateLimit
	}
	return failure
}

// garbled is an answer of 200 whose body is not what it should be.
func (c *Client) garbled(res *http.Response, err error) error {
	return &connector.Failure{
		Class:      connector.Transient,
		Message:    "Stripe's answer arrived damaged. Try again later; if it stays, look at proxies and at api_base.",
		Internal:   fmt.Sprintf("%s answered 200 with %s: %v", res.Request.URL.Path, contentType(res), err),
		Retryable:  true,
		Account:    c.options.Account,
		RequestID:  res.Header.Get("Request-Id"),
		HTTPStatus: res.StatusCode,
	}
}

// brokenOff is an answer that ended in the middle.
func (c *Client) brokenOff(ctx context.Context, res *http.Response, err error) error {
	failure, ok := errors.AsType[*connector.Failure](c.unreachable(ctx, err))
	if !ok {
		return err // the caller is gone
	}
	failure.Message = "The connection to Stripe broke in the middle of an answer. Try again later."
	failure.RequestID, failure.HTTPStatus = res.Header.Get("Request-Id"), res.StatusCode
	return failure
}

// unreachable is a request without an answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	failure := &connector.Failure{
		Class:     connector.Transient,
		Message:   "Stripe cannot be reached. Look at the network and at api_base, and try again later.",
		Internal:  c.scrub.clean(err.Error()),
		Retryable: true,
		Account:   c.options.Account,
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		failure.Class, failure.Retryable = connector.ConfigError, false
		failure.Message = "The certificate of Stripe's address is not trusted. Look at api_base, at proxies, and at the trusted authorities of the machine."
	}
	return failure
}

func contentType(res *http.Response) string {
	if t := res.Header.Get("Content-Type"); t != "" {
		return t
	}
	return "no content type"
}

// scrubber removes secrets from texts that come from outside.
type scrubber struct{ key string }

func newScrubber(key string) scrubber { return scrubber{key} }

var keyPattern = regexp.MustCompile(`\b(sk|rk|pk)_(live|test)_[0-9A-Za-z*]+`)

func (s scrubber) clean(text string) string {
	if s.key != "" {
		text = strings.ReplaceAll(text, s.key, "[key]")
	}
	return keyPattern.ReplaceAllString(text, "${1}_${2}_[removed]")
}
