package cli

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestSyncFollows changes the simulated Stripe while a sync follows it. Each change must become a row, and Ctrl-C
// must end the sync without an error.
func TestSyncFollows(t *testing.T) {
	stripe := stripetest.NewServer(stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 5}, Accounts: -1})
	defer stripe.Close()
	path := filepath.Join(t.TempDir(), "stripe.db")
	config := write(t, "config.json", simulatedConfig(stripe.URL, "off"))
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t, nil)
	ended := make(chan int, 1)
	go func() {
		ended <- w.run(ctx, []string{"sync", "--config", config, "--to", "sqlite:" + path, "--select", "customers,coupons", "--follow", "--follow-interval", "500ms"})
	}()
	rows := func(statement string) func() bool {
		return func() bool {
			n, err := number(t.Context(), path, statement)
			return err == nil && n == 1
		}
	}
	until(t, "the account is in the tables", rows("SELECT count(*) = 5 FROM customers"))
	id, err := stripe.Create("/v1/customers")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the new customer is a row", rows("SELECT count(*) FROM customers WHERE id = '"+id+"'"))
	if err := stripe.Delete(id); err != nil {
		t.Fatal(err)
	}
	until(t, "the deleted customer is no row", rows("SELECT count(*) = 5 FROM customers"))
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exited with %d: %s", code, w.err)
	}
	says(t, w.out, "customers  complete")
}
