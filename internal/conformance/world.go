package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/server"
)

// The streams of all scenarios: one with deletions, a parent and its children, which have a primary key of two fields, and
// one that is re-read in full, so its deletions are never announced.
const (
	customers = "customers"
	invoices  = "invoices"
	lines     = "invoice_line_items"
	taxIDs    = "tax_ids"
)

// pageSize is small, so that there are many checkpoints to resume from.
const pageSize = 10

// world is a simulated Stripe, a service that reads it, and the client's folder.
type world struct {
	*stripetest.Server
	service *service
	client  Client
	setup   Setup
	options Options
	output  *bytes.Buffer // what the client printed in its last sync

	source   *stripe.Source
	config   connector.Config
	keys     map[string][]string // the primary key of each stream
	clock    clock
	gate     gate
	listener *breakable
	close    []func() error // to call in reverse order
}

// clock runs at the usual speed and can be moved forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// gate holds back the responses for one path while it is closed.
type gate struct {
	mu   sync.Mutex
	path string
	open chan struct{}
}

// closeFor closes the gate. The caller must call open.
func (g *gate) closeFor(path string) (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	opened := make(chan struct{})
	g.path, g.open = path, opened
	return sync.OnceFunc(func() { close(opened) })
}

// wait waits until the gate is open. It returns zero, as the latency of the response.
func (g *gate) wait(path string) time.Duration {
	g.mu.Lock()
	closed, opened := path == g.path, g.open
	g.mu.Unlock()
	if closed {
		<-opened
	}
	return 0
}

// newWorld starts a Stripe and a service. The caller must call end, also after an error.
func newWorld(ctx context.Context, client Client, options Options) (*world, error) {
	w := &world{client: client, options: options, output: &bytes.Buffer{}, keys: map[string][]string{}}
	w.Server = stripetest.NewServer(stripetest.Options{
		Objects: map[string]int{"*": 0, "/v1/customers": 50, "/v1/invoices": 25, "/v1/invoices/{invoice}/lines": 3, "/v1/tax_ids": 5},
		Now:     w.clock.now, Accounts: -1, Latency: w.gate.wait,
	})
	w.close = append(w.close, func() error { w.Close(); return nil })
	transport := api.NewTransport()
	if pooled, ok := transport.(interface{ CloseIdleConnections() }); ok {
		w.close = append(w.close, func() error { pooled.CloseIdleConnections(); return nil })
	}
	folder, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return w, err
	}
	w.close = append(w.close, func() error { return os.RemoveAll(folder) })
	return w, errors.Join(w.configure(folder), w.serve(ctx, transport))
}

// configure writes the configuration, and makes the client's folder.
func (w *world) configure(folder string) error {
	config, err := json.Marshal(map[string]any{
		"api_key": "sk_test_simulated", "api_base": w.URL, "max_requests_per_second": 10_000, "start_date": "2020-01-01",
	})
	if err != nil {
		return err
	}
	w.config = connector.NewConfig(config)
	w.setup = Setup{Config: filepath.Join(folder, "config.json"), Folder: filepath.Join(folder, "client"), Output: w.output}
	if w.options.Output != nil {
		w.setup.Output = io.MultiWriter(w.output, w.options.Output)
	}
	return errors.Join(os.WriteFile(w.setup.Config, config, 0o600), os.Mkdir(w.setup.Folder, 0o700))
}

// serve starts the service.
func (w *world) serve(ctx context.Context, transport http.RoundTripper) error {
	w.source = stripe.New(stripe.Options{
		AllowedAPIBases: []string{w.URL}, Transport: transport, Now: w.clock.now, PageSize: pageSize,
		Retry: api.Retry{Initial: time.Millisecond, Max: 5 * time.Millisecond, Budget: 10 * time.Second},
	})
	w.service = &service{Source: w.source}
	catalog, err := w.service.Discover(ctx, connector.DiscoverRequest{Config: w.config})
	if err != nil {
		return err
	}
	for _, s := range catalog.Streams {
		w.keys[s.Name] = s.PrimaryKey
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.listener = &breakable{Listener: listener}
	w.setup.Target = listener.Addr().String()
	s := server.New(w.service, server.Options{Version: "conformance", GRPC: []grpc.ServerOption{grpc.StreamInterceptor(w.service.intercept)}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(w.listener) }()
	w.close = append(w.close, func() error {
		w.listener.cut() // nobody waits for a client that is still there
		ended := s.Shutdown(context.WithoutCancel(ctx))
		return errors.Join(ended, <-served)
	})
	return nil
}

// end stops everything and removes the client's folder.
func (w *world) end() error {
	var errs []error
	for _, do := range slices.Backward(w.close) {
		errs = append(errs, do())
	}
	return errors.Join(errs...)
}

// errKilled is why an act kills the client.
var errKilled = errors.New("the client was killed")

// run runs the client once. It returns the client's error. The second error is why the client was killed, if it was.
func (w *world) run(ctx context.Context) (failed, killed error) {
	w.output.Reset()
	running, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	w.service.begin(kill)
	slow := time.AfterFunc(w.options.Timeout, func() {
		kill(fmt.Errorf("the client was still running after %s", w.options.Timeout))
	})
	defer slow.Stop()
	failed = w.client(running, w.setup)
	return failed, context.Cause(running)
}

// sync runs the client, which must succeed, and compares the rows with the truth.
func (w *world) sync(ctx context.Context) error {
	if failed, killed := w.run(ctx); killed != nil {
		return killed
	} else if failed != nil {
		return fmt.Errorf("the client failed: %w", failed)
	}
	if _, left := w.service.recorded(); left > 0 {
		return errors.New("the client ended although there was more to read: it must call Read again")
	}
	want, err := w.truth(ctx)
	if err != nil {
		return err
	}
	return w.compare(want)
}

// truth returns the rows of a complete read.
func (w *world) truth(ctx context.Context) (rows, error) {
	all, err := collect(ctx, w.source, w.config, w.keys)
	if err != nil {
		return nil, fmt.Errorf("read the truth: %w", err)
	}
	return all, nil
}

// compare compares the client's rows with those wanted.
func (w *world) compare(want rows) error {
	got, err := load(w.setup.Folder, w.keys)
	if err != nil {
		return err
	}
	if difference := differences(want, got); difference != "" {
		return errors.New(difference)
	}
	return nil
}

// nth returns the id of the n-th newest object of a list.
func (w *world) nth(n int, path string) string {
	for id := range w.Truth(path) {
		if n--; n < 0 {
			return id
		}
	}
	return ""
}
