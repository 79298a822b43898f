package limit

import "strings"

// Ceilings are the rates, in requests per second, that are never exceeded.
type Ceilings struct {
	Account  float64 // of all requests
	Endpoint float64 // of the requests to one endpoint
	Special  float64 // of those to one of the endpoints that Stripe limits further: files and search
}

// Documented returns the limits that Stripe documents for the mode of a key (https://docs.stripe.com/rate-limits). A key
// of unknown form gets those of a sandbox, which are lower.
func Documented(key string) Ceilings {
	c := Ceilings{Account: 25, Endpoint: 25, Special: 20}
	if strings.Contains(key, "_live_") {
		c.Account = 100
	}
	return c
}

// Capped returns c with a ceiling for the account of perSecond requests, or c itself if perSecond is 0. More than c's
// own means that Stripe raised the account's limits. Stripe raises those of endpoints along with it or not at all, so
// they are raised in proportion: if that is too much, 429 will say so.
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
