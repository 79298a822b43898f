package stripe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// contractPaths are the streams that the contract is tested with, and the lists with their objects: a parent with its
// children, an append-only stream, one whose newest rows are re-listed, one that is read in full each time, and one with
// deletions.
var contractPaths = map[string]string{
	"balance_transactions": "/v1/balance_transactions",
	"coupons":              "/v1/coupons",
	"events":               "/v1/events",
	"invoice_line_items":   "/v1/invoices/{invoice}/lines",
	"invoices":             "/v1/invoices",
	"tax_ids":              "/v1/tax_ids",
}

// movingClock is a running clock that can be moved forward.
type movingClock struct {
	mu    sync.Mutex
	ahead time.Duration
	began time.Time
}

func (c *movingClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Add(c.ahead + time.Since(c.began))
}

func (c *movingClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// panicTransport panics in any goroutine that requests a list.
type panicTransport struct{ http.RoundTripper }

func (p panicTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/v1/account" {
		panic(connectortest.PanicText)
	}
	return p.RoundTripper.RoundTrip(r)
}

// clockTransport dates responses by the simulated Stripe's clock.
type clockTransport struct {
	http.RoundTripper
	now func() time.Time
}

func (c clockTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Header.Set("Date", c.now().UTC().Format(http.TimeFormat))
	}
	return answer, err
}

// contract is a simulated Stripe that the contract's suite modifies.
type contract struct {
	*stripetest.Server
	clock     movingClock
	transport http.RoundTripper
	changes   int
}

const contractKey = "sk_test_planted51H"

func newContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{clock: movingClock{began: time.Now()}}
	transport := api.NewTransport()
	c.transport = clockTransport{transport, c.clock.now}
	objects := map[string]int{"*": 0, "/v1/invoices/{invoice}/lines": 2}
	for _, path := range contractPaths {
		if !strings.Contains(path, "{") {
			objects[path] = 5
		}
	}
	o := stripetest.Options{
		Objects: objects, Now: c.clock.now, Accounts: -1,
		End: now.Truncate(24 * time.Hour), Start: now.AddDate(0, 0, -40),
		Keys: map[string]stripetest.Key{contractKey: {}, "rk_test_narrow": {}},
	}
	c.Server = stripetest.NewServer(o)
	var permissions []string
	for stream, path := range contractPaths {
		if stream != "coupons" {
			permissions = append(permissions, c.Permission(path))
		}
	}
	c.SetKey("rk_test_narrow", stripetest.Key{Permissions: permissions})
	t.Cleanup(func() {
		transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
		c.Close()
		for _, violation := range c.Violations() {
			t.Errorf("the simulated Stripe says: %s", violation)
		}
	})
	return c
}

func (c *contract) open(transport http.RoundTripper) *stripe.Source {
	return stripe.New(stripe.Options{
		AllowedAPIBases: []string{c.URL}, Transport: transport, Now: c.clock.now, PageSize: 2, Heartbeat: 3 * time.Millisecond,
		Retry: api.Retry{Initial: time.Millisecond, Max: 5 * time.Millisecond, Budget: 10 * time.Second, Attempt: 5 * time.Second},
	})
}

func (c *contract) config(key string) connector.Config {
	return connector.NewConfig(fmt.Sprintf(`{"api_key":%q,"api_base":%q,"max_requests_per_second":10000,"start_date":"2024-01-01"}`, key, c.URL))
}

// truth returns the objects of the lists, by the keys of their streams.
func (c *contract) truth() (connectortest.Rows, error) {
	rows := connectortest.Rows{}
	for stream, path := range contractPaths {
		rows[stream] = map[string]string{}
		if stream == "invoice_line_items" {
			for invoice := range c.Truth("/v1/invoices") {
				rows[stream][invoice] = ""
			}
			continue
		}
		for id := range c.Truth(path) {
			rows[stream][id] = ""
		}
	}
	var invoices []string
	for invoice := range rows["invoice_line_items"] {
		invoices = append(invoices, invoice)
	}
	clear(rows["invoice_line_items"])
	for _, invoice := range invoices {
		for line := range c.Truth("/v1/invoices/" + invoice + "/lines") {
			rows["invoice_line_items"][invoice+"/"+line] = ""
		}
	}
	return rows, nil
}

// mutate creates, changes and deletes objects of several streams, and waits until the events are visible.
func (c *contract) mutate() error {
	c.changes++
	c.clock.pass(time.Minute)
	first := func(path string) string {
		for id := range c.Truth(path) {
			return id
		}
		return ""
	}
	_, err := c.Create("/v1/coupons")
	if err != nil {
		return err
	}
	if _, err := c.Create("/v1/balance_transactions"); err != nil {
		return err
	}
	invoice := first("/v1/invoices")
	if _, err := c.Create("/v1/invoices/" + invoice + "/lines"); err != nil {
		return err
	}
	if err := c.Update(invoice); err != nil {
		return err
	}
	if c.Count("/v1/coupons") > 3 {
		if err := c.Delete(first("/v1/coupons")); err != nil {
			return err
		}
	}
	c.clock.pass(time.Minute)
	return nil
}

// TestContract runs the contract's test suite.
func TestContract(t *testing.T) {
	c := newContract(t)
	var streams []string
	for stream := range contractPaths {
		streams = append(streams, stream)
	}
	connectortest.Test(t, c.open(c.transport), connectortest.Options{
		Config:     c.config(contractKey),
		Secrets:    []string{contractKey, "planted51H"},
		Streams:    streams,
		New:        func() connector.Source { return c.open(c.transport) },
		Truth:      c.truth,
		Mutate:     c.mutate,
		AppendOnly: []string{"events"},
		Page:       24,
		Refused:    &connectortest.Refused{Stream: "coupons", Config: c.config("rk_test_narrow")},
		Panicking:  func() connector.Source { return c.open(panicTransport{c.transport}) },
		Heartbeats: true,
		Stops:      25,
	})
}
