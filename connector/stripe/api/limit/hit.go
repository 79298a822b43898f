package limit

import "net/http"

// The limits that a Limiter handles, as Stripe names them (https://docs.stripe.com/rate-limits).
const (
	globalRate          = "global-rate"
	globalConcurrency   = "global-concurrency"
	endpointRate        = "endpoint-rate"
	endpointConcurrency = "endpoint-concurrency"
)

// Hit returns the limit that a 429 response says was exceeded, as Stripe names it. The header can contain anything. It is
// empty if the request was not refused by the rate limiter.
func Hit(header http.Header) string { return header.Get("Stripe-Rate-Limited-Reason") }

// IsPaced reports whether a Limiter backs off for this limit. If so, the request can be retried soon.
func IsPaced(hit string) bool {
	switch hit {
	case globalRate, globalConcurrency, endpointRate, endpointConcurrency:
		return true
	}
	return false
}

// Label returns one of a few names for an exceeded limit, suitable as a metric label.
func Label(hit string) string {
	switch {
	case IsPaced(hit), hit == "resource-specific":
		return hit
	case hit == "":
		return "unnamed" // a lock, or a proxy
	}
	return "other"
}
