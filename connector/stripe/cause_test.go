package stripe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// obstacle is what keeps requests from reaching Stripe at an address.
type obstacle func(t *testing.T, transport *http.Transport) (base string)

// plain returns an obstacle at the address of a server, changed by change.
func plain(handler http.HandlerFunc, change func(base string, transport *http.Transport) string) obstacle {
	return func(t *testing.T, transport *http.Transport) string {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return change(s.URL, transport)
	}
}

// proxied returns an obstacle of a proxy that responds to CONNECT with a status, or of none at all.
func proxied(status int) obstacle {
	return plain(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, func(base string, transport *http.Transport) string {
		if status == 0 {
			base = "http://127.0.0.1:1"
		}
		transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(base) }
		return "https://stripe.invalid"
	})
}

// inspected returns an obstacle of a server with a certificate of an own authority, which is trusted or not, valid from a time.
func inspected(from time.Time, trusted bool) obstacle {
	return func(t *testing.T, transport *http.Transport) string {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ok(t, err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Office Proxy"}}, NotBefore: from, NotAfter: from.Add(24 * time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
		ok(t, err)
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
		s.StartTLS()
		t.Cleanup(s.Close)
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		if trusted {
			certificate, err := x509.ParseCertificate(der)
			ok(t, err)
			transport.TLSClientConfig.RootCAs.AddCert(certificate)
		}
		return s.URL
	}
}

// TestFirstMessageNamesTheCause reads and checks an account that can't be reached, for each cause. The first thing that a Read says
// besides progress, and the problem that Check finds, both name that cause.
func TestFirstMessageNamesTheCause(t *testing.T) {
	same := func(base string, _ *http.Transport) string { return base }
	tests := map[string]struct {
		obstacle obstacle
		says     string
	}{
		"no such name":    {plain(nil, func(string, *http.Transport) string { return "https://stripe.invalid" }), "The host name stripe.invalid cannot be resolved: check DNS"},
		"nothing listens": {plain(nil, func(string, *http.Transport) string { return "https://127.0.0.1:1" }), "127.0.0.1:1 refuses connections"},
		"no answer": {plain(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(base string, transport *http.Transport) string {
			transport.ResponseHeaderTimeout = 50 * time.Millisecond
			return base
		}), "did not respond in time"},
		"no proxy":              {proxied(0), "The proxy cannot be reached: check HTTPS_PROXY"},
		"a proxy that refuses":  {proxied(403), "The proxy refuses to connect to stripe.invalid (403 Forbidden)"},
		"a proxy with a login":  {proxied(407), "The proxy requires a login (407"},
		"a captive portal":      {plain(http.RedirectHandler("https://portal.invalid/login", http.StatusFound).ServeHTTP, same), "redirects requests to portal.invalid"},
		"TLS inspection":        {inspected(time.Now().Add(-time.Hour), false), `It was issued by "Office Proxy"`},
		"a clock that is late":  {inspected(time.Now().Add(time.Hour), true), "is not valid at the time of this machine"},
		"a clock that is early": {inspected(time.Now().Add(-48*time.Hour), true), "is not valid at the time of this machine"},
		"no TLS":                {plain(nil, func(base string, _ *http.Transport) string { return strings.Replace(base, "http:", "https:", 1) }), "doesn't speak TLS"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var base string
			transport := api.NewTransport(func(transport *http.Transport) {
				base = test.obstacle(t, transport)
				t.Cleanup(transport.CloseIdleConnections)
			})
			source := stripe.New(stripe.Options{
				AllowedAPIBases: []string{base}, Transport: transport, Heartbeat: 20 * time.Millisecond,
				Retry: api.Retry{Initial: 10 * time.Millisecond, Max: 50 * time.Millisecond, Budget: 500 * time.Millisecond},
			})
			config := connector.NewConfig(fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"start_date":"2020-01-01"}`, base))
			sink := &recorder{}
			_, err := source.Read(t.Context(), connector.ReadRequest{Config: config, Streams: []connector.ConfiguredStream{{Stream: "charges", SyncMode: connector.Incremental}}}, sink)
			first := ""
			for _, m := range sink.messages {
				switch m := m.(type) {
				case *connector.LogEntry:
					first = m.Message
				case *connector.StreamStatus:
					if m.Failure != nil {
						first = m.Failure.Message
					}
				}
				if first != "" {
					break
				}
			}
			if first == "" && err != nil {
				first = err.Error()
			}
			if !strings.Contains(first, test.says) {
				t.Errorf("the first message is %q, want %q", first, test.says)
			}
			checked, err := source.Check(t.Context(), connector.CheckRequest{Config: config, Streams: []string{"charges"}})
			if err != nil || len(checked.Problems) != 1 || !strings.Contains(checked.Problems[0].Message, test.says) {
				t.Errorf("Check found %v, %v, want %q", checked.Problems, err, test.says)
			}
		})
	}
}
