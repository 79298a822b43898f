package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// world configures the simulated Stripe of a scenario.
type world struct {
	Objects map[string]int // as in stripetest.Options
	Density string         // "" means even
	Latency time.Duration
	Limits  bool // whether live mode's limits apply
	// Accounts is the number of connected accounts, each with its own objects and limits. 0 means a few.
	Accounts int
	Gzip     bool // whether to compress for clients that accept it, as net/http does by default
}

// request is one request that the simulated Stripe received.
type request struct {
	At   time.Duration // time since the log was reset
	Path string
	Key  string
	// Account is the connected account; empty for the key's own.
	Account string
	Status  int // 0 if there is no response yet
}

// stripeProcess is the simulated Stripe in this process.
type stripeProcess struct {
	stripe *stripetest.Stripe
	limits stripetest.Limits

	mu    sync.Mutex
	began time.Time
	log   []*request
}

func newStripeWorker() worker {
	p := &stripeProcess{}
	return worker{
		"start":    handler(p.start),
		"reset":    handler(p.reset),
		"log":      handler(p.requests),
		"count":    handler(p.count),
		"pages":    handler(p.pages),
		"accounts": handler(func(context.Context, struct{}) ([]string, error) { return p.stripe.ConnectedAccounts(), nil }),
		"charge":   handler(p.charge),
		"advance": handler(func(_ context.Context, by time.Duration) (struct{}, error) {
			p.stripe.SetSkew(by)
			return struct{}{}, nil
		}),
		"account version": handler(func(_ context.Context, version string) (struct{}, error) {
			p.stripe.SetAccountVersion(version)
			return struct{}{}, nil
		}),
		"create": handler(func(_ context.Context, list string) (string, error) { return p.stripe.Create(list) }),
	}
}

// start starts listening and returns the URL.
func (p *stripeProcess) start(ctx context.Context, w world) (string, error) {
	options := stripetest.Options{Objects: w.Objects, Accounts: w.Accounts, Gzip: w.Gzip, Livemode: true}
	switch w.Density {
	case "":
	case "bursty":
		options.Density = stripetest.Bursty
	case "second":
		options.Density = stripetest.OneSecond
	default:
		return "", fmt.Errorf("no density %q", w.Density)
	}
	if w.Latency > 0 {
		options.Latency = func(string) time.Duration { return w.Latency }
	}
	if w.Limits {
		p.limits = stripetest.LiveLimits()
		options.Limits = p.limits
	}
	p.stripe, p.began = stripetest.New(options), time.Now()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return "http://" + listener.Addr().String(), nil
}

// ServeHTTP logs a request and responds to it. The log entry is complete before the response is, since a client that
// has read the response may look at the log, or reset it, before ServeHTTP returns.
func (p *stripeProcess) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.stripe.ServeHTTP(&statusRecorder{w, p, p.logRequest(r)}, r)
}

func (p *stripeProcess) logRequest(r *http.Request) *request {
	p.mu.Lock()
	defer p.mu.Unlock()
	note := &request{
		At: time.Since(p.began), Path: r.URL.Path, Key: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
		Account: r.Header.Get("Stripe-Account"),
	}
	p.log = append(p.log, note)
	return note
}

// statusRecorder is a ResponseWriter that records the status.
type statusRecorder struct {
	http.ResponseWriter
	process *stripeProcess
	entry   *request
}

func (w *statusRecorder) WriteHeader(status int) {
	w.process.mu.Lock()
	w.entry.Status = status
	w.process.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// reset clears the log and refills the limits' buckets.
func (p *stripeProcess) reset(context.Context, struct{}) (struct{}, error) {
	p.stripe.SetLimits(p.limits)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began, p.log = time.Now(), nil
	return struct{}{}, nil
}

// charge creates a charge in each connected account.
func (p *stripeProcess) charge(context.Context, struct{}) (struct{}, error) {
	for _, id := range p.stripe.ConnectedAccounts() {
		if _, err := p.stripe.Connected(id).Create("/v1/charges"); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

func (p *stripeProcess) requests(context.Context, struct{}) ([]request, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log := make([]request, len(p.log))
	for i, note := range p.log {
		log[i] = *note
	}
	return log, nil
}

// count returns the number of objects in each list.
func (p *stripeProcess) count(_ context.Context, paths []string) (map[string]int, error) {
	counts := map[string]int{}
	for _, path := range paths {
		counts[path] = p.stripe.Count(path)
	}
	return counts, nil
}

// pages returns the path and query of every page of the lists, taking one page of each list in turn.
func (p *stripeProcess) pages(_ context.Context, paths []string) ([]string, error) {
	lists := make([][]string, len(paths))
	for i, path := range paths {
		lists[i] = []string{path + "?limit=100"}
		n, last := 0, ""
		for id := range p.stripe.Truth(path) {
			if n > 0 && n%perPage == 0 {
				lists[i] = append(lists[i], path+"?limit=100&starting_after="+last)
			}
			n, last = n+1, id
		}
	}
	return interleave(lists), nil
}

// interleave returns the first element of each list, then the second of each, and so on.
func interleave(lists [][]string) []string {
	var all []string
	for i, more := 0, true; more; i++ {
		more = false
		for _, list := range lists {
			if i < len(list) {
				all, more = append(all, list[i]), true
			}
		}
	}
	return all
}
