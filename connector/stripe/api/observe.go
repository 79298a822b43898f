package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
)

// observed is a request to report to the Observer when it ends.
type observed struct {
	observer connector.Observer
	request  connector.Request
}

// observe starts the observation of a request.
func (c *Client) observe(endpoint string, attempt int) *observed {
	return &observed{c.options.Observer, connector.Request{Endpoint: endpoint, Attempt: attempt, Began: time.Now()}}
}

// gotResponse records the headers of the response.
func (o *observed) gotResponse(status int, header http.Header) {
	o.request.Status = status
	if status == http.StatusTooManyRequests {
		o.request.Limit = limit.Label(limit.Hit(header))
	}
}

// end reports the request to the Observer.
func (o *observed) end(ctx context.Context, err error) {
	o.request.Took = time.Since(o.request.Began)
	if failure, ok := errors.AsType[*connector.Failure](err); ok {
		o.request.Class = failure.Class
	}
	o.observer.Requested(ctx, o.request)
}

// acquire waits until a request may be sent.
func (c *Client) acquire(ctx context.Context, endpoint string, wait *wait) (permit, error) {
	began := time.Now()
	permit, err := c.permit(ctx, endpoint, wait)
	if took := time.Since(began); took >= minWait {
		wait.paced(took)
		c.options.Observer.Waited(ctx, connector.Wait{Endpoint: endpoint, Cause: connector.WaitForRate, Took: took})
	}
	return permit, err
}

// permit is the right to send one request.
type permit struct {
	account, cap limit.Permit
	capped       bool
}

// permit waits for the Client's own limit, if it has one, and then for the account's.
func (c *Client) permit(ctx context.Context, endpoint string, wait *wait) (p permit, err error) {
	if c.cap > 0 {
		if p.cap, err = c.options.Limits.Cap(c.account, c.cap).Acquire(ctx, endpoint, wait.queued); err != nil {
			return p, err
		}
		p.capped = true
	}
	if p.account, err = c.limiter().Acquire(ctx, endpoint, wait.queued); err != nil && p.capped {
		p.cap.Release(0, nil)
	}
	return p, err
}

// release ends the request, see [limit.Permit.Release]. The Client's own limit doesn't back off when Stripe refuses a request.
func (p permit) release(status int, header http.Header) {
	if p.capped {
		own := status
		if own == http.StatusTooManyRequests {
			own = 0
		}
		p.cap.Release(own, header)
	}
	p.account.Release(status, header)
}

// noObserver is the Observer if none is configured.
type noObserver struct{}

func (noObserver) Requested(context.Context, connector.Request) {}
func (noObserver) Waited(context.Context, connector.Wait)       {}
