package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// loadReads is the number of concurrent Reads in the load tests.
const loadReads = 200

// loadedStripe returns a simulated Stripe of four accounts, with temporary faults of every kind.
func loadedStripe(t *testing.T) *stripetest.Server {
	t.Helper()
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"/v1/charges": 400, "/v1/invoices": 150, "*": 20}, Accounts: 3, Gzip: true,
	})
	for _, kind := range []stripetest.FaultKind{
		stripetest.ServerError, stripetest.BadGateway, stripetest.RateLimited, stripetest.LockTimeout,
		stripetest.Truncated, stripetest.Dropped, stripetest.EmptyBody, stripetest.WrongContent,
	} {
		stripe.Inject(stripetest.Fault{Kind: kind, Probability: 0.005})
	}
	return stripe
}

// load runs 200 concurrent Reads of four accounts, and compares each with the truth.
func load(t *testing.T, stripe *stripetest.Server, address string) {
	t.Helper()
	accounts := append([]string{""}, stripe.ConnectedAccounts()...)
	paths := map[string]string{"charges": "/v1/charges", "invoices": "/v1/invoices", "customers": "/v1/customers"}
	truths := map[string]map[string]string{} // by account and stream
	for _, account := range accounts {
		for stream, path := range paths {
			of := stripe.Account
			if account != "" {
				of = stripe.Connected(account)
			}
			rows := map[string]string{}
			for id, data := range of.Truth(path) {
				rows[id] = string(data)
			}
			if len(rows) == 0 {
				t.Fatalf("account %q has no %s", account, stream)
			}
			truths[account+" "+stream] = rows
		}
	}

	var reads sync.WaitGroup
	var clients []connectorv1.ConnectorServiceClient
	for range 8 { // each connection carries a limited number of calls
		clients = append(clients, dial(t, address, grpc.WithStaticStreamWindowSize(128<<10), grpc.WithStaticConnWindowSize(1<<20)))
	}
	var lock sync.Mutex
	retries := int32(0)
	for i := range loadReads {
		account := accounts[i%len(accounts)]
		fields := simulatedConfig(stripe.URL)
		if account != "" {
			fields["account"] = account
		}
		request := &connectorv1.ReadRequest{
			Config: configuration(t, fields), Streams: selectStreams("charges", "customers", "invoices"),
		}
		reads.Go(func() {
			n, err := readTruth(t, clients[i%len(clients)], request, func(stream string) map[string]string { return truths[account+" "+stream] })
			if err != nil {
				t.Errorf("Read %d, of account %q: %v", i, account, err)
			}
			lock.Lock()
			defer lock.Unlock()
			retries += n
		})
	}
	reads.Wait()
	if retries < loadReads/10 {
		t.Errorf("only %d retries: the faults were off", retries)
	}
	t.Logf("%d Reads at once, %d retries", loadReads, retries)
}

// readTruth runs a Read and compares each record as it arrives, so that the test need not keep them in memory. It returns the
// number of retries. The error names missing or wrong records.
func readTruth(
	t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest, truth func(stream string) map[string]string,
) (retries int32, err error) {
	stream, err := client.Read(t.Context(), req)
	if err != nil {
		return 0, err
	}
	seen := map[string]map[string]bool{}
	var summary *connectorv1.Summary
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if s := m.GetSummary(); s != nil {
			summary = s
		}
		name := m.GetRecords().GetStream()
		for _, r := range m.GetRecords().GetRecords() {
			var object struct{ ID string }
			if err := json.Unmarshal([]byte(r.GetData()), &object); err != nil {
				return 0, err
			}
			if truth(name)[object.ID] != r.GetData() {
				return 0, fmt.Errorf("%s %s differs from the truth", name, object.ID)
			}
			if seen[name] == nil {
				seen[name] = map[string]bool{}
			}
			seen[name][object.ID] = true
		}
	}
	if summary == nil || summary.GetHasMore() {
		return 0, fmt.Errorf("the Read is not complete: %v", summary)
	}
	for _, s := range req.GetStreams() {
		if got, want := len(seen[s.GetStream()]), len(truth(s.GetStream())); got != want {
			return 0, fmt.Errorf("%d of %d %s", got, want, s.GetStream())
		}
	}
	return int32(summary.GetRetries()), nil
}

// TestLoadLeavesNoGoroutines runs 200 concurrent Reads of four accounts with faults. No row may be lost, and no goroutine may remain
// after the server stops.
func TestLoadLeavesNoGoroutines(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	stripe := loadedStripe(t)
	before := goleak.IgnoreCurrent()
	t.Run("load", func(t *testing.T) { // the server stops at the end of the subtest
		patient := api.Retry{Initial: 10 * time.Millisecond, Max: 200 * time.Millisecond, Budget: time.Minute}
		load(t, stripe, serve(t, stripe.URL, patient, io.Discard))
	})
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("net/http.(*conn).serve")) // of the simulated Stripe
}

// TestMemoryOfTwoHundredReads runs the same load against a service in its own process.
func TestMemoryOfTwoHundredReads(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const most = 768 // MiB
	stripe := loadedStripe(t)
	p := startProcess(t, stripe.URL)
	load(t, stripe, p.address)
	peak := p.memory(t, "VmHWM")
	if peak > most {
		t.Errorf("the server's memory rose to %d MiB, more than %d", peak, most)
	}
	t.Logf("%d Reads at once cost at most %d MiB", loadReads, peak)
}
