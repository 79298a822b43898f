package limit

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Permit is the right to send one request. It holds a place in flight until it is released.
type Permit struct {
	limiter  *Limiter
	endpoint *endpoint
	sent     time.Time
}

// Acquire waits until a request to an endpoint, as [Endpoint] names it, may be sent. If it has to wait, it first calls
// queued, unless that is nil, with about the time that the wait will take. An error is the context's; otherwise the
// Permit must be released.
func (l *Limiter) Acquire(ctx context.Context, endpoint string, queued func(about time.Duration)) (Permit, error) {
	if err := ctx.Err(); err != nil {
		return Permit{}, err
	}
	now := time.Now()
	l.mu.Lock()
	l.advance(now)
	e := l.endpoint(endpoint)
	if l.open(e) && l.next() == nil { // nobody else is to go first
		l.pass(e)
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
		l.leave(e, w)
		return Permit{}, ctx.Err()
	}
}

// leave removes a request that will not be sent from its queue, or reverts its admission if it was admitted just now.
func (l *Limiter) leave(e *endpoint, w waiter) {
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

// Release ends a request, which was answered with this status and these headers. Status 0 means that there was no
// answer.
func (p Permit) Release(status int, header http.Header) {
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
		l.yield(e, p.sent, Hit(header))
	}
	l.account.flight.running--
	e.flight.running--
	l.admit()
}

// yield backs off at the limit that was hit. A limit of a single object, or a lock, concerns no other request.
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
