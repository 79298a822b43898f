package limit

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Permit is the permission to send one request. It occupies a place in flight until it is released.
type Permit struct {
	limiter  *Limiter
	endpoint *endpoint
	sent     time.Time
}

// Acquire waits until a request to an endpoint, as named by [Endpoint], can be sent. If it has to wait, it first calls
// queued, unless nil, with the estimated duration of the wait. It returns an error only if ctx ends; otherwise the caller
// must release the Permit.
func (l *Limiter) Acquire(ctx context.Context, endpoint string, queued func(about time.Duration)) (Permit, error) {
	if err := ctx.Err(); err != nil {
		return Permit{}, err
	}
	now := time.Now()
	l.mu.Lock()
	l.advance(now)
	e := l.endpoint(endpoint)
	if l.canSend(e) && l.next() == nil { // no other request goes first
		l.start(e)
		l.mu.Unlock()
		return Permit{l, e, now}, nil
	}
	w := make(waiter)
	e.waiting = append(e.waiting, w)
	l.admit()
	about := l.expectedWait(e)
	l.mu.Unlock()

	if queued != nil {
		queued(about)
	}
	select {
	case <-w:
		return Permit{l, e, time.Now()}, nil
	case <-ctx.Done():
		l.abandon(e, w)
		return Permit{}, ctx.Err()
	}
}

// abandon removes a request that will not be sent from its queue, or reverts its admission if it was just admitted.
func (l *Limiter) abandon(e *endpoint, w waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	if i := slices.Index(e.waiting, w); i >= 0 {
		e.waiting = slices.Delete(e.waiting, i, i+1)
	} else {
		l.account.leave()
		e.leave()
	}
	l.admit()
}

// Release ends a request that got a response with this status and these headers. Status 0 means that there was no response.
func (p Permit) Release(status int, header http.Header) {
	l, e := p.limiter, p.endpoint
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.advance(now)
	switch status {
	case http.StatusOK: // other responses are much faster or slower
		l.account.flight.observe(now.Sub(p.sent))
		e.flight.observe(now.Sub(p.sent))
	case http.StatusTooManyRequests:
		l.yield(e, p.sent, Hit(header))
	}
	l.account.flight.running--
	e.flight.running--
	l.admit()
}

// yield backs off for the limit that was exceeded. A limit of a single object, or a lock, doesn't affect other requests.
func (l *Limiter) yield(e *endpoint, sent time.Time, hit string) {
	switch hit {
	case globalRate:
		l.account.bucket.yield(sent)
	case globalConcurrency:
		l.account.flight.yield(sent)
	case endpointRate:
		e.bucket.yield(sent)
	case endpointConcurrency:
		e.flight.yield(sent)
	}
}
