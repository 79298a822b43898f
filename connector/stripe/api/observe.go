package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// observed is a request of which the Observer is told when it ends.
type observed struct {
	observer connector.Observer
	request  connector.Request
}

// observe begins a request.
func (c *Client) observe(endpoint string, attempt int) *observed {
	return &observed{c.options.Observer, connector.Request{Endpoint: endpoint, Attempt: attempt, Began: time.Now()}}
}

// answered notes that the answer has begun.
func (o *observed) answered(status int, header http.Header) {
	o.request.Status = status
	if status == http.StatusTooManyRequests {
		o.request.Limit = knownLimit(limitHit(header))
	}
}

// end tells the Observer.
func (o *observed) end(ctx context.Context, err error) {
	o.request.Took = time.Since(o.request.Began)
	if failure, ok := errors.AsType[*connector.Failure](err); ok {
		o.request.Class = failure.Class
	}
	o.observer.Requested(ctx, o.request)
}

// knownLimit gives a rate limit by one of few names, since it becomes a label: whatever else the header says may be
// anything. See https://docs.stripe.com/rate-limits.
func knownLimit(hit string) string {
	switch {
	case isPaced(hit), hit == "resource-specific":
		return hit
	case hit == "":
		return "unnamed" // a lock, or something in between
	}
	return "other"
}

// turn waits for the turn of a request.
func (c *Client) turn(ctx context.Context, endpoint string) (permit, error) {
	began := time.Now()
	turn, err := c.limiter().acquire(ctx, endpoint, &c.Meter)
	if took := time.Since(began); took >= notable {
		c.options.Observer.Waited(ctx, connector.Wait{Endpoint: endpoint, Cause: connector.WaitForRate, Took: took})
	}
	return turn, err
}

// nobody is the Observer where there is none.
type nobody struct{}

func (nobody) Requested(context.Context, connector.Request) {}
func (nobody) Waited(context.Context, connector.Wait)       {}
