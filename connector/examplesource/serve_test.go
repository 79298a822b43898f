package examplesource_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
	"github.com/stripe-connector/stripe-connector/server"
)

// logs keeps what servers log.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve serves a source, as the command serve does, and returns the service.
func serve(t *testing.T, source connector.Source, logs *logs) *remote {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.New(source, server.Options{Logger: slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	c, err := client.Dial(listener.Addr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	r, err := newRemote(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestContractOverGRPC runs the suite against the example behind the server, which knows nothing of it: so the server and the
// client keep the contract, too. They don't cover what only a source receives, not a service.
func TestContractOverGRPC(t *testing.T) {
	s, logs := newShop(t), &logs{}
	service, broken := serve(t, source(s), logs), serve(t, source(panicking{s}), logs)
	connectortest.Test(t, service, connectortest.Options{
		Config:    connector.NewConfig(`{"token":"` + token + `"}`),
		Secrets:   []string{token},
		Logs:      logs.String,
		Truth:     func() (connectortest.Rows, error) { return s.truth, nil },
		Mutate:    s.mutate,
		Page:      1000, // a small shop fits into the flow-control window
		Refused:   &connectortest.Refused{Stream: "prices", Config: connector.NewConfig(`{}`)},
		Panicking: func() connector.Source { return broken },
		Known: map[string]string{
			"source-data": "the server's sink, and not the client, decides what can't be carried",
		},
	})
}
