package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// mostRetryAfter bounds what the caller of a Read is asked to wait, however much longer an answer asks for.
const mostRetryAfter = time.Hour

// retryAfter returns how long an answer asks to wait: at most an hour, and 0 if it does not ask, or nonsense. See
// https://www.rfc-editor.org/rfc/rfc9110#name-retry-after.
func (c *Client) retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(mostRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date")) // the clock that until is of
	if err != nil {
		now = c.Now()
	}
	return min(max(until.Sub(now), 0), mostRetryAfter)
}

// retryable reports whether a request is worth repeating. Stripe-Should-Retry decides, as it does for Stripe's own
// libraries.
func retryable(header http.Header, class connector.Class) bool {
	switch header.Get("Stripe-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	return class == connector.RateLimit || class == connector.Transient
}
