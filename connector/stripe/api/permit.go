package api

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// permit is the right to send one request, and its place in flight until released.
type permit struct {
	limiter  *limiter
	endpoint *endpoint
	sent     time.Time
}

// acquire waits until a request to an endpoint may be sent. An error is the context's. The permit must be released.
func (l *limiter) acquire(ctx context.Context, name string, meter *Meter) (permit, error) {
	if err := ctx.Err(); err != nil {
		return permit{}, err
	}
	began := time.Now()
	l.mu.Lock()
	l.advance(began)
	e := l.endpoint(name)
	if l.open(e) && l.next() == nil { // nobody else is to go first
		l.pass(e)
		l.mu.Unlock()
		return permit{l, e, began}, nil
	}
	w := make(waiter)
	e.waiting = append(e.waiting, w)
	l.admit()
	expected := l.expectedWait(e)
	l.mu.Unlock()

	meter.pace(began, expected)
	defer func() { meter.paced(time.Since(began)) }()
	select {
	case <-w:
		return permit{l, e, time.Now()}, nil
	case <-ctx.Done():
		l.leave(e, w)
		return permit{}, ctx.Err()
	}
}

// leave takes a request that is not to be sent any more out of its queue, or takes back that it was let pass just now.
func (l *limiter) leave(e *endpoint, w waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	if i := slices.Index(e.waiting, w); i >= 0 {
		e.waiting = slices.Delete(e.waiting, i, i+1)
	} else {
		l.account.giveBack()
		e.giveBack()
	}
	l.admit()
}

// release ends a request: answered with a status and headers, or not at all, which is status 0.
func (p permit) release(status int, header http.Header) {
	l, e := p.limiter, p.endpoint
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.advance(now)
	switch status {
	case http.StatusOK: // other answers come sooner, or much later
		l.account.flight.observe(now.Sub(p.sent))
		e.flight.observe(now.Sub(p.sent))
	case http.StatusTooManyRequests:
		l.yield(e, p.sent, limitHit(header))
	}
	l.account.flight.running--
	e.flight.running--
	l.admit()
}

// yield gives way at the limit that Stripe says was hit. A limit of a single object, or a lock, concerns no other request.
func (l *limiter) yield(e *endpoint, sent time.Time, hit string) {
	switch hit {
	case "global-rate":
		l.account.bucket.yield(sent)
	case "global-concurrency":
		l.account.flight.yield(sent)
	case "endpoint-rate":
		e.bucket.yield(sent)
	case "endpoint-concurrency":
		e.flight.yield(sent)
	}
}

// limitHit gives the limit that a request hit, as Stripe names it. None means that it was not the rate limiter that
// answered 429. See https://docs.stripe.com/rate-limits.
func limitHit(header http.Header) string { return header.Get("Stripe-Rate-Limited-Reason") }

// isPaced tells whether the limiter gives way at a limit, so that the request need not wait long.
func isPaced(hit string) bool {
	switch hit {
	case "global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency":
		return true
	}
	return false
}
