// Package limit keeps a client within Stripe's rate limits while using all that they allow.
//
// Stripe limits each account as a whole, and each of its endpoints, by requests per second and by concurrent requests. A
// 429 response names the limit that was exceeded (https://docs.stripe.com/rate-limits). A [Limiter] mirrors these limits
// for one account:
//
//   - A token bucket paces the account, and another paces each endpoint. They start at the documented [Ceilings].
//   - The number of requests in flight is bounded by what the rate needs at the observed latency (Little's law).
//   - A refusal lowers the limit that it names by a fixed proportion. Afterwards the limit recovers in small steps. In this
//     way, processes that know nothing of each other converge to equal shares, as TCP connections do.
//   - Endpoints take turns, so that a large stream uses only what small ones leave. Within an endpoint, requests are served
//     in order of arrival.
//
// A process creates one [Registry], which holds the Limiter of each account in use. Get the Limiter from it for every
// request, and call Acquire before the request and Release after it:
//
//	permit, err := registry.Of(account, ceilings).Acquire(ctx, limit.Endpoint(path), nil)
//	if err != nil {
//		return err // from ctx
//	}
//	res, err := httpClient.Do(req)
//	…
//	permit.Release(res.StatusCode, res.Header)
//
// The package neither sends nor retries requests. It measures time with time.Now and its own timers.
package limit
