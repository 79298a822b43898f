package api

import "strings"

// ceilings are the rates, in requests per second, that no request goes beyond.
type ceilings struct{ account, endpoint, special float64 }

// documented gives the limits that Stripe documents for the mode of a key (https://docs.stripe.com/rate-limits). A key
// of unknown shape gets those of a sandbox, which are the lower ones.
func documented(key string) ceilings {
	limits := ceilings{account: 25, endpoint: 25, special: 20}
	if strings.Contains(key, "_live_") {
		limits.account = 100
	}
	return limits
}

// capped applies Options.MaxRequestsPerSecond. More than documented means that Stripe raised the account's limits; as
// Stripe raises those of endpoints along with it or not at all, they are tried in proportion: 429 tells the truth.
func (c ceilings) capped(perSecond float64) ceilings {
	if perSecond <= 0 {
		return c
	}
	if raised := perSecond / c.account; raised > 1 {
		c.endpoint *= raised
		c.special *= raised
	}
	c.account = perSecond
	return c
}

// of gives the ceiling of one endpoint. Files and search have lower ones: https://docs.stripe.com/rate-limits.
func (c ceilings) of(endpoint string) float64 {
	if strings.HasPrefix(endpoint, "/v1/files") || strings.HasPrefix(endpoint, "/v1/file_links") || strings.HasSuffix(endpoint, "/search") {
		return c.special
	}
	return c.endpoint
}
