package limit

import "net/http"

// The limits that a Limiter keeps to, as Stripe names them (https://docs.stripe.com/rate-limits).
const (
	globalRate          = "global-rate"
	globalConcurrency   = "global-concurrency"
	endpointRate        = "endpoint-rate"
	endpointConcurrency = "endpoint-concurrency"
)

// Hit returns the limit that a request answered 429 has hit, in Stripe's words: anything, for all that is known of the
// header. It is empty if it was not the rate limiter that refused the request.
func Hit(header http.Header) string { return header.Get("Stripe-Rate-Limited-Reason") }

// IsPaced reports whether a Limiter backs off at a limit that was hit. If so, the request may be retried soon.
func IsPaced(hit string) bool {
	switch hit {
	case globalRate, globalConcurrency, endpointRate, endpointConcurrency:
		return true
	}
	return false
}

// Label returns one of a few names for a limit that was hit, fit to label a metric.
func Label(hit string) string {
	switch {
	case IsPaced(hit), hit == "resource-specific":
		return hit
	case hit == "":
		return "unnamed" // a lock, or a proxy
	}
	return "other"
}
