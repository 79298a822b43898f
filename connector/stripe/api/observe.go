package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
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
		o.request.Limit = limit.Label(limit.Hit(header))
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

// turn waits until a request may be sent.
func (c *Client) turn(ctx context.Context, endpoint string, wait *wait) (limit.Permit, error) {
	began := time.Now()
	turn, err := c.limiter().Acquire(ctx, endpoint, wait.queued)
	if took := time.Since(began); took >= notable {
		wait.paced(took)
		c.options.Observer.Waited(ctx, connector.Wait{Endpoint: endpoint, Cause: connector.WaitForRate, Took: took})
	}
	return turn, err
}

// nobody is the Observer where there is none.
type nobody struct{}

func (nobody) Requested(context.Context, connector.Request) {}
func (nobody) Waited(context.Context, connector.Wait)       {}
