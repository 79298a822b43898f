package cli

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/server"
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
	go func() { ended <- service.serveOn(ctx, listeners{calls: listener}, &serving{drain: time.Minute}) }()

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
	says(t, service.err, `"msg":"ended after all calls were done"`)
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

func TestServeRefusesClearText(t *testing.T) {
	loopback, all := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv6unspecified}
	tests := map[string]struct {
		address net.Addr
		flags   serving
		refused bool
	}{
		"loopback":                {loopback, serving{}, false},
		"loopback of IPv6":        {&net.TCPAddr{IP: net.IPv6loopback}, serving{}, false},
		"everywhere":              {all, serving{}, true},
		"another machine's":       {&net.TCPAddr{IP: net.IPv4(10, 1, 2, 3)}, serving{}, true},
		"everywhere, insecure":    {all, serving{insecure: true}, false},
		"everywhere, with TLS":    {all, serving{tls: server.TLSFiles{Cert: "tls.crt"}}, false},
		"everywhere, with tokens": {all, serving{tokens: "tokens"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.flags.checkClearText(test.address)
			if (err != nil) != test.refused {
				t.Errorf("got %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "--tls-cert") || !strings.Contains(err.Error(), "--insecure")) {
				t.Errorf("%v does not say how to fix it", err)
			}
		})
	}
}

func TestServeRefusesVariables(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:4318",
	} {
		w := newWorld(t, fakeSource{})
		w.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4318"
		w.environment[name] = value
		w.runs(t, exitFailure, "serve", "--listen", "127.0.0.1:0")
		says(t, w.err, name+" must be")
	}
}

func TestServeRefusesFlags(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"key alone":               {[]string{"--tls-key", "k"}, exitFailure, "--tls-cert and --tls-key must be set together"},
		"authorities without TLS": {[]string{"--tls-client-ca", "ca"}, exitFailure, "--tls-client-ca requires TLS"},
		"certificate not there":   {[]string{"--tls-cert", "/nowhere/c", "--tls-key", "/nowhere/k"}, exitFailure, "/nowhere/c"},
		"tokens not there":        {[]string{"--tokens", "/nowhere/tokens"}, exitFailure, "/nowhere/tokens"},
		"secrets not there":       {[]string{"--secrets-dir", "/nowhere/secrets"}, exitFailure, "/nowhere/secrets"},
		"secrets for everyone":    {[]string{"--listen", "0.0.0.0:0", "--insecure", "--secrets-dir", "."}, exitFailure, "Set --tokens or --tls-client-ca"},
		"audit log nowhere":       {[]string{"--audit-log", "/nowhere/audit"}, exitFailure, "open the audit log"},
		"access":                  {[]string{"--health", "ajar"}, exitUsage, "choose one of guarded, open, off"},
		"profiles nowhere":        {[]string{"--pprof"}, exitFailure, "set --metrics-listen too"},
		"metrics not here":        {[]string{"--metrics-listen", "192.0.2.1:0"}, exitFailure, "choose another address with --metrics-listen"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fakeSource{})
			w.runs(t, test.code, append([]string{"serve", "--listen", "127.0.0.1:0"}, test.args...)...)
			says(t, w.err, test.want)
		})
	}
}

// TestHealthListen serves with tokens, which health checks need too, and with a separate health listener, which needs
// none.
func TestHealthListen(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("token-of-the-pipeline"), 0o600); err != nil {
		t.Fatal(err)
	}
	var at [2]net.Listener
	for i := range at {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at[i] = listener
	}
	ctx, signal := context.WithCancel(t.Context())
	service := newWorld(t, fakeSource{})
	ended := make(chan error, 1)
	go func() {
		ended <- service.serveOn(ctx, listeners{calls: at[0], health: at[1]}, &serving{drain: time.Minute, tokens: tokens})
	}()
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_CONNECTOR_LISTEN"] = at[0].Addr().String()
	w.runs(t, exitFailure, "healthcheck")
	says(t, w.err, "requires a bearer token")
	w.environment["STRIPE_CONNECTOR_HEALTH_LISTEN"] = at[1].Addr().String()
	w.environment["STRIPE_CONNECTOR_TLS_CERT"] = "not of the health listener"
	w.runs(t, exitOK, "healthcheck")
	signal()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.runs(t, exitFailure, "healthcheck")
}

// stubborn is a source whose Reads end only when their call is canceled.
type stubborn struct {
	fakeSource
	began chan struct{}
}

func (s stubborn) Read(ctx context.Context, _ connector.ReadRequest, _ connector.Sink) (connector.Summary, error) {
	close(s.began)
	<-ctx.Done()
	return connector.Summary{}, ctx.Err()
}

// TestServeReportsCallsCutOff runs a Read that ignores the drain. The exit code and the last log line must report
// that it was cut off.
func TestServeReportsCallsCutOff(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	source := stubborn{began: make(chan struct{})}
	ctx, signal := context.WithCancel(t.Context())
	service := newWorld(t, source)
	ended := make(chan error, 1)
	go func() { ended <- service.serveOn(ctx, listeners{calls: listener}, &serving{drain: time.Millisecond}) }()
	read := make(chan int, 1)
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	go func() {
		read <- w.run(t.Context(), []string{"read", "--target", listener.Addr().String(), "--streams", "apples"})
	}()
	<-source.began
	signal()
	if code := service.explain(ctx, <-ended); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	lines := strings.Split(strings.TrimSpace(service.err.String()), "\n")
	says(t, service.err, `"msg":"draining"`)
	if last := lines[len(lines)-1]; !strings.Contains(last, `"msg":"ended with calls cut off`) || !strings.Contains(last, `"calls":1`) {
		t.Errorf("the last line is %s", last)
	}
	if code := <-read; code != exitFailure {
		t.Errorf("the Read ended with exit code %d", code)
	}
}
