package temporal_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
	connectorserver "github.com/stripe-connector/stripe-connector/server"
)

// serveStripe starts the connector's service for a simulated Stripe, and returns its address.
func serveStripe(t *testing.T, simulated *stripetest.Server) string {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	source := stripe.New(stripe.Options{AllowedAPIBases: []string{simulated.URL}, Transport: transport})
	s := connectorserver.New(source, connectorserver.Options{Logger: slog.New(slog.DiscardHandler), Version: "test"})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx) // a client that was stopped may still have a call
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

func dialService(t *testing.T, address string) *connector.Client {
	t.Helper()
	service, err := connector.Dial(address, connector.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	return service
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return ids
}

// wrapped is the service, with a function that is called after each sync and replaces its error.
type wrapped struct {
	*connector.Client
	after func(error) error
}

func (w wrapped) Sync(ctx context.Context, opts connector.SyncOptions) (*connector.Report, error) {
	report, err := w.Client.Sync(ctx, opts)
	return report, w.after(err)
}

// TestHistoriesHoldNoData looks for the key, for the customers and for the states in everything that Temporal stores about syncs,
// of which one fails with an error that contains the key.
func TestHistoriesHoldNoData(t *testing.T) {
	t.Parallel()
	past := func() time.Time { return time.Now().Add(-400 * 24 * time.Hour) } // so that times of states aren't those of events
	simulated := stripetest.NewServer(stripetest.Options{Now: past, End: past(), Objects: map[string]int{"/v1/customers": 300, "/v1/charges": 200}})
	t.Cleanup(simulated.Close)
	beaten := make(chan struct{})
	var syncs atomic.Int64
	service := wrapped{dialService(t, serveStripe(t, simulated)), func(err error) error {
		if syncs.Add(1) > 1 {
			return err
		}
		<-beaten
		return errors.Join(err, failureOf(connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT, true, "The key "+plantedKey+" is busy."))
	}}
	folder := t.TempDir()
	w := newWorld(t, service, fmt.Sprintf(`config: {api_key: "${KEY}", api_base: %q, start_date: 2020-01-01}
    destination: %q
    retry: {wait: 50ms}
    select: [customers, charges]`, simulated.URL, "sqlite:"+filepath.Join(folder, "rows.db")))
	due := w.start(temporal.WorkflowDue)
	var stored strings.Builder
	w.until("a heartbeat has counts", func() bool {
		found, err := server.Client.DescribeWorkflowExecution(t.Context(), temporal.ID(w.name), "")
		if err != nil {
			return false // hasn't started yet
		}
		stored.WriteString(found.String())
		for _, a := range found.GetPendingActivities() {
			var p temporal.Progress
			if d := a.GetHeartbeatDetails(); d != nil && converter.GetDefaultDataConverter().FromPayloads(d, &p) == nil && p.Records["customers"] == 300 {
				return true
			}
		}
		return false
	})
	close(beaten)
	if got := w.result(due); got != temporal.StatusSucceeded {
		t.Fatalf("got %q, want %q", got, temporal.StatusSucceeded)
	}
	stored.WriteString(w.text(due) + w.text(server.Client.GetWorkflow(t.Context(), temporal.ID(w.name), "")))
	all := stored.String()
	if !strings.Contains(all, "[secret]") || !strings.Contains(all, "customers") {
		t.Errorf("the failure or the counts are missing, so nothing is proven:\n%s", all)
	}
	forbidden := []string{"Planted4Secret"}
	for _, raw := range simulated.Truth("/v1/customers") {
		var customer struct{ ID, Email, Name, Phone string }
		if err := json.Unmarshal(raw, &customer); err != nil {
			t.Fatal(err)
		}
		forbidden = append(forbidden, customer.ID, customer.Email, customer.Phone)
		if len(customer.Name) > 3 {
			forbidden = append(forbidden, customer.Name)
		}
	}
	forbidden = append(forbidden, statesIn(t, filepath.Join(folder, "rows.db"))...)
	for _, f := range forbidden {
		if f != "" && strings.Contains(all, f) {
			t.Errorf("Temporal stores %q", f)
		}
	}
	t.Logf("looked for %d values in %d bytes", len(forbidden), len(all))
}

// statesIn returns the times and ids in the states of a SQLite database.
func statesIn(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var states string
	if err := db.QueryRowContext(t.Context(), "SELECT group_concat(state) FROM _stripe_connector_state").Scan(&states); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\b(1\d{9}|\d{4}-\d\d-\d\dT[\d:]+|[a-z]+_\w{10,})`).FindAllString(states, -1)
	if len(found) == 0 {
		t.Fatalf("no times in the states %s", states)
	}
	return found
}
