package limit

import "strings"

// Ceilings are the request rates that are never exceeded, in requests per second.
type Ceilings struct {
	Account  float64 // all requests together
	Endpoint float64 // requests to one endpoint
	Special  float64 // requests to one of the endpoints with a lower limit: files and search
}

// Documented returns the limits that Stripe documents for the mode of a key (https://docs.stripe.com/rate-limits). For a
// key of unknown form it returns the lower limits of a sandbox.
func Documented(key string) Ceilings {
	c := Ceilings{Account: 25, Endpoint: 25, Special: 20}
	if strings.Contains(key, "_live_") {
		c.Account = 100
	}
	return c
}

// Capped returns c with an account ceiling of perSecond requests, or c itself if perSecond is 0. A value above c.Account
// means that Stripe raised the account's limits. The endpoint ceilings are then raised in proportion, because Stripe raises
// them together or not at all; if that is too much, 429 responses will lower the rate.
func (c Ceilings) Capped(perSecond float64) Ceilings {
	if perSecond <= 0 {
		return c
	}
	if raised := perSecond / c.Account; raised > 1 {
		c.Endpoint *= raised
		c.Special *= raised
	}
	c.Account = perSecond
	return c
}

// of returns the ceiling of one endpoint.
func (c Ceilings) of(endpoint string) float64 {
	if strings.HasPrefix(endpoint, "/v1/files") || strings.HasPrefix(endpoint, "/v1/file_links") || strings.HasSuffix(endpoint, "/search") {
		return c.Special
	}
	return c.Endpoint
}
