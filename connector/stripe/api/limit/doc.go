// Package limit keeps a client within Stripe's rate limits while using all of what they allow.
//
// Stripe limits an account as a whole and each of its endpoints, by requests per second and by requests in flight, and a
// 429 answer names the limit that was hit (https://docs.stripe.com/rate-limits). A [Limiter] mirrors that for one
// account:
//
//   - A token bucket paces the account, and one paces each endpoint. They start at the documented [Ceilings].
//   - A bound on the requests in flight follows the latency that is observed: enough to use the rate (Little's law), and no more.
//   - A refusal lowers the rate, or the bound, of the limit that it names by a fixed proportion; after that it grows back
//     in small steps. Processes that know nothing of each other converge to equal shares this way, as TCP connections do.
//   - Endpoints take turns, so that a big stream uses what small ones leave. Within an endpoint, first come, first served.
//
// A process makes one [Registry], which holds the Limiter of each account in use. Ask it for the Limiter of every
// request, and bracket the request with Acquire and Release:
//
//	permit, err := registry.Of(account, ceilings).Acquire(ctx, limit.Endpoint(path), nil)
//	if err != nil {
//		return err // the context's
//	}
//	res, err := httpClient.Do(req)
//	…
//	permit.Release(res.StatusCode, res.Header)
//
// The package sends nothing itself and retries nothing. It measures time with time.Now and its own timers.
package limit
