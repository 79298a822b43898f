package server

import (
	"crypto/tls"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"
)

// TestFailedHandshakesAreReported checks that each kind of failed handshake is counted by its cause and logged with the
// client's address.
func TestFailedHandshakesAreReported(t *testing.T) {
	a, clients := newAuthority(t), newAuthority(t)
	cert, key := a.issue(t, "connector")
	m := newMount(t, map[string]string{"tls.crt": string(cert), "tls.key": string(key), "ca.crt": string(clients.pem)})
	creds, err := LoadTLS(TLSFiles{Cert: m.path("tls.crt"), Key: m.path("tls.key"), ClientCA: m.path("ca.crt")}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	old := trusting(t, a, clients)
	old.MinVersion, old.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	other := trusting(t, a, clients)
	other.NextProtos = []string{"ftp"}
	attempts := map[string]func(t *testing.T, address string){
		"no_certificate":    func(t *testing.T, address string) { handshake(t, address, trusting(t, a, nil)) },
		"unknown_authority": func(t *testing.T, address string) { handshake(t, address, trusting(t, a, a)) },
		"refused_by_client": func(t *testing.T, address string) { handshake(t, address, trusting(t, clients, clients)) },
		"old_version":       func(t *testing.T, address string) { handshake(t, address, old) },
		"no_http2":          func(t *testing.T, address string) { handshake(t, address, other) },
		"no_tls": func(t *testing.T, address string) {
			if err := (caller{address: address}).call(t, spec); err == nil {
				t.Error("a call in clear text passed")
			}
		},
		"hung_up": func(t *testing.T, address string) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		},
		"timeout": func(t *testing.T, address string) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
		},
	}
	for cause, attempt := range attempts {
		if !slices.Contains(HandshakeCauses(), cause) {
			t.Errorf("%s isn't among the causes", cause)
		}
		t.Run(cause, func(t *testing.T) {
			observer, logs := &recordingObserver{}, &logs{}
			_, address := listen(t, Options{
				Credentials: creds, Observer: observer, Logger: slog.New(slog.NewJSONHandler(logs, nil)), HandshakeTimeout: 500 * time.Millisecond,
			})
			attempt(t, address)
			eventually(t, "the failure is counted", func() bool {
				observer.mu.Lock()
				defer observer.mu.Unlock()
				return slices.Contains(observer.lines, "handshake: "+cause)
			})
			eventually(t, "the failure is logged", func() bool { return len(logs.lines(t, "a TLS handshake failed")) > 0 })
			if line := logs.lines(t, "a TLS handshake failed")[0]; line["cause"] != cause {
				t.Errorf("logged %v", line)
			}
		})
	}
}

// handshake connects with TLS and checks that the handshake, or at the latest the first read, fails.
func handshake(t *testing.T, address string, config *tls.Config) {
	t.Helper()
	if config.NextProtos == nil {
		config.NextProtos = []string{"h2"}
	}
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 100)); err == nil {
		t.Error("the handshake succeeded")
	}
}
