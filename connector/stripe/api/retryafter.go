package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// maxRetryAfter is the longest wait that is reported to the caller of a Read.
const maxRetryAfter = time.Hour

// retryAfter returns how long a response asks the client to wait, at most an hour, or 0 if it doesn't or the value is
// invalid. See https://www.rfc-editor.org/rfc/rfc9110#name-retry-after.
func (c *Client) retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date")) // the clock that until refers to
	if err != nil {
		now = c.Now()
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// isRetryable reports whether a request should be retried. Stripe-Should-Retry takes precedence, as in Stripe's libraries.
func isRetryable(header http.Header, class connector.Class) bool {
	switch header.Get("Stripe-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	return class == connector.RateLimit || class == connector.Transient
}
