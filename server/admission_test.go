package server

import (
	"context"
	"encoding/json"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// identified is a [connector.Identifier] that takes the account from a field of the configuration.
type identified struct{ *fakeSource }

func (identified) Identify(config connector.Config) string {
	var fields struct{ Account string }
	_ = json.Unmarshal(config.JSON(), &fields)
	return fields.Account
}

func TestReadsAtOnceAreBounded(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	f := start(t, identified{waiting(began, release)}, Options{MaxReads: 3, MaxReadsPerAccount: 2})
	read := func(account string) (*connectorv1.ReadRequest, error) {
		req := charges()
		req.Config = object(t, `{"account": "`+account+`"}`)
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := f.Read(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := stream.Recv()
			ended <- err
			cancel()
		}()
		select {
		case <-began:
			return req, nil
		case err := <-ended:
			return req, err
		}
	}
	refused := func(account, want string) {
		t.Helper()
		_, err := read(account)
		d := detailsOf(t, err)
		if status.Code(err) != codes.ResourceExhausted || d.retry.GetRetryDelay().AsDuration() <= 0 || !d.failure.GetRetryable() ||
			d.info.GetReason() != "RATE_LIMIT" {
			t.Errorf("%s: %v with %v, want RESOURCE_EXHAUSTED with a time to wait: %s", account, err, d, want)
		}
	}
	admitted := func(account string) {
		t.Helper()
		if _, err := read(account); err != nil {
			t.Fatalf("%s: %v", account, err)
		}
	}
	admitted("a")
	admitted("a")
	refused("a", "two Reads of the account run")
	admitted("b")
	refused("b", "three Reads run")
	refused("", "three Reads run")
	for range 3 {
		release <- struct{}{}
	}
	for _, account := range []string{"a", "", ""} {
		eventually(t, "a Read has left", func() bool {
			_, err := read(account)
			return err == nil
		})
	}
	refused("c", "three Reads run")
	close(release)
}

func TestAdmissionForgetsAccounts(t *testing.T) {
	a := admission{maxPerAccount: 1}
	for _, account := range []string{"a", "b", ""} {
		leave, err := a.enter(account)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.enter(account); (err != nil) != (account != "") {
			t.Errorf("a second Read of %q: %v", account, err)
		}
		leave()
	}
	if len(a.accounts) > 0 {
		t.Errorf("it remembers %v", a.accounts)
	}
}
