package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	ctx, signal := context.WithCancel(t.Context())
	service := newWorld(t, fakeSource{})
	ended := make(chan error, 1)
	go func() { ended <- service.serveOn(ctx, listener, nil, time.Minute) }()

	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "healthcheck", "--target", address)
	says(t, w.out, "SERVING")
	w.environment["STRIPE_CONNECTOR_LISTEN"] = address
	w.runs(t, exitOK, "healthcheck")
	w.runs(t, exitOK, "read", "--target", address, "--streams", "apples")
	says(t, w.out, "apples_2")

	signal()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	says(t, service.err, `"msg":"serving"`)
	says(t, service.err, `"msg":"ended"`)
	for line := range strings.Lines(service.err.String()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("not a line of JSON: %s", line)
		}
	}
	w.runs(t, exitFailure, "healthcheck")
}

func TestProbeTarget(t *testing.T) {
	tests := map[string]string{
		"127.0.0.1:50051": "127.0.0.1:50051", "0.0.0.0:1": "127.0.0.1:1", ":2": "127.0.0.1:2", "[::]:3": "127.0.0.1:3",
		"10.1.2.3:4": "10.1.2.3:4", "host:5": "host:5", "nonsense": "nonsense",
	}
	for listen, want := range tests {
		if got := probeTarget(listen); got != want {
			t.Errorf("probeTarget(%q) = %q, want %q", listen, got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.runs(t, exitOK, "version")
	says(t, w.out, "stripe-connector ")
}
