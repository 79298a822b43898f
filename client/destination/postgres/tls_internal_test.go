package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate returns a self-signed certificate for a host, and the path of a file that lists it as a certificate
// authority.
func certificate(t *testing.T, host string, until time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotBefore: time.Unix(0, 0), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// answer serves one connection after another. It answers the request for TLS with the given letter, then speaks TLS if it
// has a certificate.
func answer(t *testing.T, letter string, certificate *tls.Certificate) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 8)
			_, _ = io.ReadFull(conn, request)
			_, _ = io.WriteString(conn, letter)
			if certificate != nil {
				_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*certificate}}).Handshake()
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

func TestTLSFailures(t *testing.T) {
	itself, _ := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	_, elsewhereOnly := certificate(t, "other.example.com", time.Now().Add(time.Hour))
	elsewhere, elsewhereCA := certificate(t, "db.example.com", time.Now().Add(time.Hour))
	expired, expiredCA := certificate(t, "127.0.0.1", time.Unix(1, 0))
	for name, test := range map[string]struct {
		port, options, want string
	}{
		"no TLS":            {answer(t, "N", nil), "sslmode=require", "the server does not offer TLS, which sslmode requires"},
		"unknown authority": {answer(t, "S", &itself), "sslmode=verify-full&sslrootcert=" + elsewhereOnly, "signed by an untrusted authority"},
		"another host":      {answer(t, "S", &elsewhere), "sslmode=verify-full&sslrootcert=" + elsewhereCA, "its certificate is not for 127.0.0.1"},
		"expired":           {answer(t, "S", &expired), "sslmode=verify-full&sslrootcert=" + expiredCA, "its certificate has expired"},
		"not PostgreSQL":    {answer(t, "HTTP/1.1 400 Bad Request\r\n\r\n", nil), "sslmode=disable", "does not speak PostgreSQL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), "postgres://me:SECRET@127.0.0.1:"+test.port+"/db?"+test.options, Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "SECRET") {
				t.Fatalf("got %v, want something with %q", err, test.want)
			}
			if strings.Count(err.Error(), "x509") > 1 || strings.Count(err.Error(), "127.0.0.1:"+test.port) > 1 {
				t.Errorf("it repeats itself: %v", err)
			}
		})
	}
}
