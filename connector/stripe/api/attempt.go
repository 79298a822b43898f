package api

import (
	"context"
	"fmt"
	"io"
	"net/http"

	stripe "github.com/stripe/stripe-go/v76"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api/limit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// get hands the body of a good answer to the call's parser, in as many attempts as it takes.
func (c *Client) get(ctx context.Context, call *call) error {
	wait := c.Meter.begin(call.endpoint)
	defer wait.end()
	turn, err := c.turn(ctx, call.endpoint, wait) // a long queue costs nothing of the retries' budget
	if err != nil {
		return err
	}
	attempts := 0
	return c.retry(ctx, call, wait, func() error {
		if attempts++; attempts > 1 {
			if turn, err = c.turn(ctx, call.endpoint, wait); err != nil {
				return err
			}
		}
		wait.sent()
		o := c.observe(call.endpoint, attempts)
		err := c.attempt(ctx, turn, call, o)
		o.end(ctx, err)
		return err
	})
}

// maxBody bounds an answer: a page of Stripe's has some hundred KB. A page that is larger counts as broken, so that the
// caller may ask for a smaller one.
const maxBody = 64 << 20

// attempt makes one request, which turn admits. The turn ends when the answer is read and parsed.
func (c *Client) attempt(ctx context.Context, turn limit.Permit, call *call, o *observed) error {
	var status int
	var header http.Header
	defer func() { turn.Release(status, header) }()
	ctx, cancel := context.WithTimeout(ctx, c.options.Retry.attemptTimeout())
	defer cancel()
	req, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	sent := c.clock.local()
	res, err := c.http.Do(req)
	if err != nil {
		return c.unanswered(ctx, call, err)
	}
	defer res.Body.Close()
	status, header = res.StatusCode, res.Header
	o.answered(status, header)
	if isStripes(header) {
		c.clock.answered(header, sent, c.clock.local())
		c.met.Store(true)
		c.outage.ended()
	}

	answer, err := bodies.take(ctx, res)
	if err != nil {
		return c.unanswered(ctx, call, err)
	}
	defer bodies.give(answer)
	if _, err := answer.ReadFrom(io.LimitReader(res.Body, maxBody+1)); err != nil {
		return c.brokenOff(ctx, call, res, err)
	}
	if len(answer.body()) > maxBody {
		return c.garbled(call, res, fmt.Errorf("more than %d bytes", maxBody))
	}
	if res.StatusCode != http.StatusOK {
		return c.refused(call, res, answer.body())
	}
	err = allCutters.with(func(cutter *rawjson.Cutter) error {
		return call.parse(c.clock.stripes(sent), cutter, answer.Bytes())
	})
	if err != nil {
		return c.garbled(call, res, err)
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
		return nil, fmt.Errorf("build the request of %s: %s", call.path, c.scrub.clean(err.Error()))
	}
	req.Header.Del("Content-Type")               // there is no body
	req.Header.Del("X-Stripe-Client-User-Agent") // it would tell this machine's name
	return req, nil
}
