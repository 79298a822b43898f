package api

import (
	"context"
	"fmt"
	"io"
	"net/http"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// get requests call, retrying as needed, and passes the body of the successful response to the call's parser.
func (c *Client) get(ctx context.Context, call *call) error {
	wait := c.Meter.begin(call.endpoint)
	defer wait.end()
	permit, err := c.acquire(ctx, call.endpoint, wait) // time in the queue doesn't count towards the retry budget
	if err != nil {
		return err
	}
	attempts := 0
	return c.retry(ctx, call, wait, func() error {
		if attempts++; attempts > 1 {
			if permit, err = c.acquire(ctx, call.endpoint, wait); err != nil {
				return err
			}
		}
		wait.sent()
		o := c.observe(call.endpoint, attempts)
		err := c.scrub.failure(c.attempt(ctx, permit, call, o))
		o.end(ctx, err)
		return err
	})
}

// versionHeader names the API version of a request, and of a response.
const versionHeader = "Stripe-Version"

// maxBody limits the size of a response: a page has a few hundred KB. A larger page counts as broken, so that the caller
// may request a smaller one.
const maxBody = 16 << 20

// attempt makes one request. It releases permit once the response has been read and parsed.
func (c *Client) attempt(ctx context.Context, permit permit, call *call, o *observed) error {
	var status int
	var header http.Header
	defer func() { permit.release(status, header) }()
	ctx, cancel := context.WithTimeout(ctx, c.options.Retry.attemptTimeout())
	defer cancel()
	sending, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	req, err := c.request(sending, call)
	if err != nil {
		return err
	}
	sent := c.clock.local()
	reached := c.clock.earliest(sent)
	res, err := c.http.Do(req)
	if err != nil {
		return c.noResponse(ctx, call, err)
	}
	defer res.Body.Close()
	status, header = res.StatusCode, res.Header
	o.gotResponse(status, header)
	if call.version != nil {
		*call.version = header.Get(versionHeader)
	}
	if isFromStripe(header) {
		c.clock.update(header, sent, c.clock.local())
		c.reached.Store(true)
		c.outage.ended()
	}
	call.asOf = c.asOf(sent, reached)

	own := claim{account: string(c.account[:]), base: c.options.Base}
	response, err := bodies.get(ctx, own, res)
	if err != nil {
		return c.noResponse(ctx, call, err)
	}
	defer bodies.put(own, response)
	err = readWatched(response, io.LimitReader(res.Body, smallBody), cut)
	if err == nil && len(response.body()) == smallBody {
		if err := large.enter(ctx, own); err != nil {
			return c.noResponse(ctx, call, err)
		}
		defer large.leave(own)
		err = readWatched(response, io.LimitReader(res.Body, maxBody+1-smallBody), cut)
	}
	if err != nil {
		return c.truncated(ctx, call, res, err)
	}
	if len(response.body()) > maxBody {
		return c.malformed(call, res, fmt.Errorf("more than %d bytes", maxBody))
	}
	if res.StatusCode != http.StatusOK {
		return c.refused(call, res, response.body())
	}
	err = allCutters.use(ctx, func(cutter *rawjson.Cutter) error {
		return call.parse(cutter, response.Bytes())
	})
	if err != nil && ctx.Err() != nil {
		return c.noResponse(ctx, call, err)
	}
	if err != nil {
		return c.malformed(call, res, err)
	}
	c.outage.ended()
	return nil
}

func (c *Client) request(ctx context.Context, call *call) (*http.Request, error) {
	params := &stripe.Params{Context: ctx}
	if c.options.Account != "" {
		params.StripeAccount = stripe.String(c.options.Account)
	}
	path := call.path
	if len(call.query) > 0 {
		path += "?" + call.query.Encode()
	}
	req, err := c.backend.NewRequest(http.MethodGet, path, c.options.Key.Reveal(), "application/x-www-form-urlencoded", params)
	if err != nil {
		return nil, fmt.Errorf("build the request for %s: %s", call.path, c.scrub.clean(err.Error()))
	}
	req.Header.Set(versionHeader, c.options.Version)
	if call.version != nil {
		req.Header.Del(versionHeader)
	}
	req.Header.Del("Content-Type")               // there is no body
	req.Header.Del("X-Stripe-Client-User-Agent") // it would reveal this machine's name
	return req, nil
}
