package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestRotation replaces the API key and the token of a running service, as documented: it uses the new ones without a restart, and
// the old token no longer authenticates.
func TestRotation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path+".new", []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil { // as Kubernetes and careful operators do
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	const oldKey, newKey = "rk_test_old0123456789", "rk_test_new0123456789"
	const oldToken, newToken = "old-token-0123456789", "new-token-0123456789"
	write("secrets/stripe", oldKey)
	write("tokens", oldToken)
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 3}})
	permitted := []string{"rak_charge_read", "rak_accounts_kyc_basic_read", "rak_event_read"}
	stripe.SetKey(oldKey, stripetest.Key{Permissions: permitted})
	p := startProcess(t, stripe.URL, "--tokens", filepath.Join(folder, "tokens"), "--secrets-dir", filepath.Join(folder, "secrets"))
	charges := func(token string) (int, error) {
		all := read(t, dial(t, p.address, grpc.WithPerRPCCredentials(bearer(token))), &connectorv1.ReadRequest{
			Config:  configuration(t, map[string]any{"api_key": map[string]any{"secret": "stripe"}, "api_base": stripe.URL}),
			Streams: selectStreams("charges"),
		})
		return len(all.records("charges")), all.err
	}
	if n, err := charges(oldToken); n != 3 || err != nil {
		t.Fatalf("before: %d charges, %v", n, err)
	}
	stripe.SetKey(newKey, stripetest.Key{Permissions: permitted})
	write("secrets/stripe", newKey)
	stripe.SetKey(oldKey, stripetest.Key{Expired: true})
	if n, err := charges(oldToken); n != 3 || err != nil {
		t.Errorf("with the new key: %d charges, %v", n, err)
	}
	write("tokens", newToken)
	waitFor(t, "the new token authenticates", func() bool {
		n, err := charges(newToken)
		return n == 3 && err == nil
	})
	if _, err := charges(oldToken); status.Code(err) != codes.Unauthenticated {
		t.Errorf("with the old token: %v", err)
	}
}
