package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// route is a blocked route to Stripe.
type route struct {
	base      string
	transport http.RoundTripper
}

// TestUnreachable blocks the route to Stripe in many ways. If only a configuration change can help, the request fails at
// once; otherwise it is retried.
func TestUnreachable(t *testing.T) {
	html := func(status int, header ...string) func(t *testing.T) route {
		return func(t *testing.T) route {
			return serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				for i := 0; i < len(header); i += 2 {
					w.Header().Set(header[i], header[i+1])
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "<html>the secret of a customer</html>")
			})
		}
	}
	tests := map[string]struct {
		route func(t *testing.T) route
		class connector.Class
		fatal bool // only a configuration change can help
		says  string
		is    string // IsBroken, in addition to IsUnreachable
	}{
		"a proxy that requires a login":        {html(407, "Proxy-Authenticate", "Basic"), connector.ConfigError, true, "HTTPS_PROXY", ""},
		"a proxy that refuses":                 {html(403, "Server", "squid/5.7"), connector.ConfigError, true, "rejects GET /v1/charges (403 Forbidden, Server: squid/5.7)", ""},
		"a firewall, 451":                      {html(451, "Via", "1.1 gateway"), connector.ConfigError, true, "Via: 1.1 gateway", ""},
		"a firewall, JSON":                     {html(403, "Content-Type", "application/json"), connector.ConfigError, true, "firewall", ""},
		"no such page":                         {html(404), connector.ConfigError, true, "check api_base", ""},
		"a captive portal, redirecting":        {html(302, "Location", "https://portal.invalid/login?token=secret"), connector.ConfigError, true, "redirects requests to portal.invalid (302 Found", ""},
		"a captive portal, answering":          {html(200), connector.ConfigError, true, "answers with a web page", ""},
		"a gateway":                            {html(502, "Server", "nginx"), connector.Transient, false, "(502 Bad Gateway, Server: nginx)", "IsBroken"},
		"a gateway that times out":             {html(504), connector.Transient, false, "A proxy or gateway", "IsBroken"},
		"a gateway's timeout":                  {html(408), connector.Transient, false, "A proxy or gateway", ""},
		"a gateway's rate limit":               {html(429), connector.RateLimit, false, "limits the request rate", ""},
		"a server that does not answer":        {silent, connector.Transient, false, "did not respond in time", "IsBroken"},
		"a server that hangs up":               {hangsUp, connector.Transient, false, "broke before a response arrived", "IsBroken"},
		"no server":                            {noServer, connector.Transient, false, "refuses connections", ""},
		"no name":                              {noName, connector.Transient, false, "The host name stripe.invalid cannot be resolved", ""},
		"an unknown authority":                 {certificate(time.Now().Add(-time.Hour), "127.0.0.1", false), connector.ConfigError, true, `issued by "Office Proxy"`, ""},
		"another host's certificate":           {certificate(time.Now().Add(-time.Hour), "192.0.2.1", true), connector.ConfigError, true, "issued for another host", ""},
		"an expired certificate, or old clock": {certificate(time.Now().Add(-100*24*time.Hour), "127.0.0.1", true), connector.ConfigError, true, "correct its clock", ""},
		"a certificate of tomorrow":            {certificate(time.Now().Add(time.Hour), "127.0.0.1", true), connector.ConfigError, true, "correct its clock", ""},
		"no TLS":                               {noTLS, connector.ConfigError, true, "doesn't speak TLS", ""},
		"CONNECT, a login":                     {proxy(407), connector.ConfigError, true, "The proxy requires a login (407 Proxy Authentication Required)", ""},
		"CONNECT, refused":                     {proxy(403), connector.ConfigError, true, "The proxy refuses to connect to stripe.invalid (403 Forbidden)", ""},
		"CONNECT, unavailable":                 {proxy(503), connector.Transient, false, "The proxy refuses to connect to stripe.invalid (503 Service Unavailable)", ""},
		"CONNECT, no proxy":                    {noProxy, connector.Transient, false, "The proxy cannot be reached", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := test.route(t)
			c := api.New(api.Options{
				Key: connector.NewSecret(key), Base: w.base, Transport: w.transport,
				Retry: api.Retry{Initial: time.Millisecond, Max: time.Millisecond, Budget: 100 * time.Millisecond, Attempt: time.Second},
			})
			_, err := c.List(t.Context(), "/v1/charges", nil)
			failure, ok := errors.AsType[*connector.Failure](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if failure.Class != test.class || failure.Retryable == test.fatal || !strings.Contains(failure.Message, test.says) {
				t.Errorf("got %s, %+v", failure.Class, failure)
			}
			if text := failure.Message + failure.Internal; strings.Contains(text, "secret") || strings.Contains(text, key) {
				t.Errorf("the failure reveals a secret: %s", text)
			}
			if requests := c.Meter.Requests(); test.fatal && requests != 1 {
				t.Errorf("made %d requests, want 1", requests)
			}
			says := []string{"IsUnreachable"}
			if test.is != "" {
				says = []string{test.is, "IsUnreachable"}
			}
			if got := predicates(err); !slices.Equal(got, says) {
				t.Errorf("%v, want %v: %s", got, says, failure.Internal)
			}
		})
	}
}

// serve starts a server without TLS.
func serve(t *testing.T, handler http.HandlerFunc) route {
	server := httptest.NewServer(handler)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return route{base: server.URL, transport: transport}
}

func silent(t *testing.T) route {
	w := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w.transport.(*http.Transport).ResponseHeaderTimeout = 50 * time.Millisecond
	return w
}

func hangsUp(t *testing.T) route {
	return serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func noServer(t *testing.T) route {
	w := serve(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	w.base = "http://" + listener.Addr().String()
	return w
}

func noName(t *testing.T) route {
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	transport := &http.Transport{DialContext: (&net.Dialer{Resolver: resolver}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return route{base: "https://stripe.invalid", transport: transport}
}

// certificate starts a server with a certificate for an address, valid for 90 days from the given time. If trusted, the
// client trusts it.
func certificate(from time.Time, address string, trusted bool) func(t *testing.T) route {
	return func(t *testing.T) route {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Office Proxy"}},
			NotBefore: from, NotAfter: from.Add(90 * 24 * time.Hour), IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
		server.StartTLS()
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
		if trusted {
			parsed, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			transport.TLSClientConfig.RootCAs.AddCert(parsed)
		}
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			server.Close()
		})
		return route{base: server.URL, transport: transport}
	}
}

func noTLS(t *testing.T) route {
	w := serve(t, func(http.ResponseWriter, *http.Request) {})
	w.base = strings.Replace(w.base, "http:", "https:", 1)
	return w
}

// proxy returns a route through a proxy that answers CONNECT with status.
func proxy(status int) func(t *testing.T) route {
	return func(t *testing.T) route {
		w := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodConnect {
				t.Errorf("the proxy got a %s request", r.Method)
			}
			w.WriteHeader(status)
		})
		return through(t, w.base)
	}
}

func noProxy(t *testing.T) route { return through(t, noServer(t).base) }

// through returns a route through the proxy at address, with the transport that the process uses.
func through(t *testing.T, address string) route {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := api.NewHTTPTransport()
	transport.Proxy = http.ProxyURL(u)
	t.Cleanup(transport.CloseIdleConnections)
	return route{base: "https://stripe.invalid", transport: transport}
}

// TestFirewallBlocksOneEndpoint blocks one endpoint after Stripe has responded at another: only one stream is affected.
func TestFirewallBlocksOneEndpoint(t *testing.T) {
	c := client(roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Path == "/v1/files" {
			return foreign(req, 403, http.Header{"Content-Type": {"text/html"}}, "<html>"), nil
		}
		return answer(req, 200, nil, list), nil
	}))
	for _, class := range []connector.Class{connector.ConfigError, connector.PermissionError} {
		_, err := c.List(t.Context(), "/v1/files", nil)
		failure, ok := errors.AsType[*connector.Failure](err)
		if !ok || failure.Class != class || !strings.Contains(failure.Message, "GET /v1/files") {
			t.Errorf("got %v, want %s", err, class)
		}
		if _, err := c.List(t.Context(), "/v1/charges", nil); err != nil {
			t.Fatal(err)
		}
	}
}
