package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem, _ = certificate(t, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "authority"},
	}, nil)
	return a
}

// issue returns a certificate that is valid for servers and clients, and its key, both as PEM.
func (a *authority) issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	_, _, cert, key = certificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	return cert, key
}

func certificate(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = &authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// mount is a directory laid out like a Secret mounted by Kubernetes. Each file is a symbolic link into ..data, which is a
// symbolic link to a directory. When the Secret changes, ..data is swapped for a link to another one.
type mount struct {
	dir   string
	swaps int
}

func newMount(t *testing.T, files map[string]string) *mount {
	t.Helper()
	m := &mount{dir: t.TempDir()}
	m.swap(t, files)
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), m.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *mount) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mount) swap(t *testing.T, files map[string]string) {
	t.Helper()
	m.swaps++
	version := "..version_" + string(rune('a'+m.swaps))
	if err := os.Mkdir(m.path(version), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(m.dir, version, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := m.path("..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, m.path("..data")); err != nil {
		t.Fatal(err)
	}
}

// listen runs a server on loopback until the test ends.
func listen(t *testing.T, opts Options) (*Server, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := New(&fakeSource{}, opts)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return server, listener.Addr().String()
}

// caller makes each call on a new connection.
type caller struct {
	address string
	tls     *tls.Config // nil for clear text
	token   string
}

func (c caller) call(t *testing.T, do func(context.Context, *grpc.ClientConn) error) error {
	t.Helper()
	creds := insecure.NewCredentials()
	if c.tls != nil {
		creds = credentials.NewTLS(c.tls)
	}
	conn, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.token)
	}
	return do(ctx, conn)
}

func spec(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := connectorv1.NewConnectorServiceClient(conn).Spec(ctx, &connectorv1.SpecRequest{})
	return err
}

func askHealth(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

// trusting returns a client's TLS configuration, with a client certificate unless issuer is nil.
func trusting(t *testing.T, server, issuer *authority) *tls.Config {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "connector", MinVersion: tls.VersionTLS12}
	config.RootCAs.AddCert(server.cert)
	if issuer != nil {
		cert, key := issuer.issue(t, "orchestrator")
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// TestTLSFilesAreReloaded replaces the files of a running server: its certificate, its key, and the client CAs.
func TestTLSFilesAreReloaded(t *testing.T) {
	first, second, clients, others := newAuthority(t), newAuthority(t), newAuthority(t), newAuthority(t)
	files := func(server, client *authority) map[string]string {
		cert, key := server.issue(t, "connector")
		return map[string]string{"tls.crt": string(cert), "tls.key": string(key), "ca.crt": string(client.pem)}
	}
	mounted, logs := newMount(t, files(first, clients)), &logs{}
	creds, err := LoadTLS(TLSFiles{
		Cert: mounted.path("tls.crt"), Key: mounted.path("tls.key"), ClientCA: mounted.path("ca.crt"),
	}, slog.New(slog.NewJSONHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, address := listen(t, Options{Credentials: creds})
	try := func(trusted, issuer *authority) error {
		return caller{address: address, tls: trusting(t, trusted, issuer)}.call(t, spec)
	}
	refused := func(when string, err error) {
		t.Helper()
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v, want no connection", when, err)
		}
	}
	if err := try(first, clients); err != nil {
		t.Fatal(err)
	}
	refused("no certificate", try(first, nil))
	refused("certificate of another authority", try(first, others))
	refused("server of another authority", try(second, clients))
	refused("clear text", caller{address: address}.call(t, spec))

	mounted.swap(t, map[string]string{"tls.crt": "nonsense", "tls.key": "", "ca.crt": ""})
	time.Sleep(lookAgain + 100*time.Millisecond)
	if err := try(first, clients); err != nil {
		t.Errorf("with nonsense in the files: %v, want what was there before", err)
	}
	if log := logs.String(); !strings.Contains(log, "cannot reload") || !strings.Contains(log, "tls.crt") {
		t.Errorf("the log doesn't mention the invalid file: %s", log)
	}

	mounted.swap(t, files(second, others))
	time.Sleep(lookAgain + 100*time.Millisecond)
	if err := try(second, others); err != nil {
		t.Errorf("after the swap: %v", err)
	}
	refused("former authority of clients", try(second, clients))
	refused("former authority of servers", try(first, others))
}

func TestLoadTLSRefuses(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue(t, "connector")
	_, other := a.issue(t, "connector")
	tests := map[string]struct{ cert, key, ca, want string }{
		"no certificate": {"", string(key), string(a.pem), "tls.crt"},
		"another key":    {string(cert), string(other), string(a.pem), "private key does not match"},
		"no authorities": {string(cert), string(key), "nonsense", "no PEM certificate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMount(t, map[string]string{"tls.crt": test.cert, "tls.key": test.key, "ca.crt": test.ca})
			_, err := LoadTLS(TLSFiles{Cert: m.path("tls.crt"), Key: m.path("tls.key"), ClientCA: m.path("ca.crt")}, slog.Default())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := LoadTLS(TLSFiles{Cert: "/nowhere/tls.crt", Key: "/nowhere/tls.key"}, slog.Default()); err == nil {
		t.Error("files that are not there pass")
	}
}
