package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
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
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// authority is a certificate authority that stores the certificates it issues as files.
type authority struct {
	folder string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	a := &authority{folder: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca")
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.folder, name) }

// issue creates NAME.crt and NAME.key.
func (a *authority) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{name}, IsCA: a.cert == nil, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// guarded is a service whose Spec requires the token.
type guarded struct {
	connectorv1.UnimplementedConnectorServiceServer
	name string
}

func (g guarded) Spec(ctx context.Context, _ *connectorv1.SpecRequest) (*connectorv1.SpecResponse, error) {
	if md, _ := metadata.FromIncomingContext(ctx); strings.Join(md.Get("authorization"), "") != "Bearer "+token {
		return nil, status.Error(codes.Unauthenticated, "no token")
	}
	return &connectorv1.SpecResponse{DocumentationUrl: g.name}, nil
}

const token = "open-sesame"

// replica serves on a local port until the test ends.
func replica(t *testing.T, name string, options ...grpc.ServerOption) (address string, h *health.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	connectorv1.RegisterConnectorServiceServer(s, guarded{name: name})
	h = healthy()
	healthpb.RegisterHealthServer(s, h)
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String(), h
}

func TestDialSecurely(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "service")
	a.issue(t, "client")
	if err := os.WriteFile(a.path("token"), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(a.path("service.crt"), a.path("service.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	address, _ := replica(t, "secure", grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})))
	mutual := client.Options{CAFile: a.path("ca.crt"), CertFile: a.path("client.crt"), KeyFile: a.path("client.key")}
	tests := map[string]struct {
		change func(*client.Options)
		want   string
	}{
		"token":          {func(o *client.Options) { o.Token = token }, ""},
		"token file":     {func(o *client.Options) { o.TokenFile = a.path("token") }, ""},
		"name":           {func(o *client.Options) { o.Token, o.ServerName = token, "service" }, ""},
		"no token":       {func(*client.Options) {}, "no token"},
		"other name":     {func(o *client.Options) { o.Token, o.ServerName = token, "other.example" }, "not other.example"},
		"no certificate": {func(o *client.Options) { o.Token, o.CertFile, o.KeyFile = token, "", "" }, "--cert-file and --key-file"},
		"not trusted":    {func(o *client.Options) { o.Token, o.CAFile = token, a.path("client.crt") }, "unknown authority"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := mutual
			test.change(&opts)
			c, err := client.Dial(address, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Spec(t.Context())
			if (test.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the error contains the token: %v", err)
			}
		})
	}
}

func TestDialRefuses(t *testing.T) {
	nothing := filepath.Join(t.TempDir(), "nothing")
	if err := os.WriteFile(nothing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		target string
		opts   client.Options
		want   string
	}{
		"plaintext":    {"connector:50051", client.Options{Token: token, Credentials: insecure.NewCredentials()}, "not sent in plaintext"},
		"two tokens":   {"localhost:1", client.Options{Token: token, TokenFile: nothing}, "can't be combined"},
		"empty token":  {"localhost:1", client.Options{TokenFile: nothing}, "the token is empty"},
		"two lines":    {"localhost:1", client.Options{Token: token + "\n" + token}, "one line"},
		"no CA":        {"localhost:1", client.Options{CAFile: nothing}, "contains no certificate"},
		"CA not there": {"localhost:1", client.Options{CAFile: nothing + "x"}, "read the certificate authorities"},
		"half a pair":  {"localhost:1", client.Options{CertFile: nothing}, "set both files"},
		"bad pair":     {"localhost:1", client.Options{CertFile: nothing, KeyFile: nothing}, "read the certificate of"},
		"both ways":    {"localhost:1", client.Options{CAFile: nothing, Credentials: insecure.NewCredentials()}, "can't be combined"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := client.Dial(test.target, test.opts)
			if err == nil {
				_ = c.Close()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), token) {
				t.Errorf("got %q, want %q without the token", err, test.want)
			}
		})
	}
}

func TestReplicasAreBalanced(t *testing.T) {
	first, health := replica(t, "first")
	second, _ := replica(t, "second")
	names := manual.NewBuilderWithScheme("names")
	names.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: first}, {Addr: second}}})
	c, err := client.Dial("names:///connector", client.Options{
		Credentials: insecure.NewCredentials(),
		DialOptions: []grpc.DialOption{grpc.WithResolvers(names), grpc.WithPerRPCCredentials(tests{})}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until := func(want string, sufficient func(answers map[string]int) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			answers := map[string]int{}
			for range 10 {
				spec, err := c.Spec(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				answers[spec.GetDocumentationUrl()]++
			}
			if sufficient(answers) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("got answers %v, want %s", answers, want)
			}
		}
	}
	until("five of each", func(answers map[string]int) bool { return answers["first"] == 5 && answers["second"] == 5 })
	health.Shutdown() // as a draining service does
	until("the second's alone", func(answers map[string]int) bool { return answers["second"] == 10 })
}

// tests sends the token in plaintext, which only tests may do.
type tests struct{}

func (tests) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": fmt.Sprint("Bearer ", token)}, nil
}

func (tests) RequireTransportSecurity() bool { return false }

func TestOptionsHideTheToken(t *testing.T) {
	options := client.Options{Token: "plantedcanary", CAFile: "ca.pem"}
	encoded, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("text", "options", options)
	texts := []string{string(encoded), logged.String(), fmt.Sprintf("%v %+v %#v %s %q %x", options, options, options, options, options, options)}
	for _, text := range append(texts, fmt.Sprintf("%+v", struct{ Connection client.Options }{options})) {
		if strings.Contains(text, "plantedcanary") || strings.Contains(text, fmt.Sprintf("%x", "plantedcanary")) || !strings.Contains(text, "ca.pem") {
			t.Errorf("got %s", text)
		}
	}
}
