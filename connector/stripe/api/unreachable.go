package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// foreign returns the fault of a response that isn't Stripe's but an intermediary's.
func (c *Client) foreign(call *call, res *http.Response, body string) error {
	f := c.fault(call, res)
	f.unreachable = true
	f.Internal = fmt.Sprintf("%s answered %d with %s of %s", call.path, res.StatusCode, body, contentType(res.Header))
	f.RetryAfter = c.retryAfter(res.Header)
	who := c.intermediary(res.Header)
	switch status := res.StatusCode; {
	case status == http.StatusProxyAuthRequired:
		f.Class = connector.ConfigError
		f.Message = fmt.Sprintf("A proxy between the connector and Stripe requires a login (%s%s): set its user and password in HTTPS_PROXY, or exempt %s.", res.Status, who, c.host)
	case status/100 == 3:
		f.Class = connector.ConfigError
		f.Message = fmt.Sprintf("Something between the connector and Stripe redirects requests%s (%s%s), which Stripe never does: check for a proxy that requires a login, and check api_base.", destination(res.Header), res.Status, who)
	case status == http.StatusOK:
		f.Class = connector.ConfigError
		f.Message = fmt.Sprintf("Something between the connector and Stripe answers with a web page (%s%s): check for a proxy that requires a login, and check api_base.", res.Status, who)
	case status == http.StatusTooManyRequests:
		f.Class, f.Retryable = connector.RateLimit, true
		f.Message = fmt.Sprintf("A proxy or gateway between the connector and Stripe limits the request rate (%s%s): raise its limit for %s or check api_base, then try again later.", res.Status, who, c.host)
	case status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooEarly:
		f.Class = connector.ConfigError
		if c.reached.Load() { // Stripe has responded at another endpoint
			f.Class = connector.PermissionError
		}
		f.Message = fmt.Sprintf("A proxy or firewall between the connector and Stripe rejects GET %s (%s%s): allow requests to %s, and check api_base.", call.endpoint, res.Status, who, c.host)
	default:
		f.Class, f.Retryable = connector.Transient, true
		f.broken = status >= 500
		f.Message = fmt.Sprintf("A proxy or gateway answered instead of Stripe (%s%s). Try again later; if the problem persists, check the network path to %s and api_base.", res.Status, who, c.host)
	}
	return f
}

// intermediary returns how an intermediary identifies itself in a response, as ", Header: value".
func (c *Client) intermediary(header http.Header) string {
	for _, name := range []string{"Proxy-Agent", "Via", "Server"} {
		if value := c.scrub.clean(header.Get(name)); value != "" && len(value) <= 100 {
			return fmt.Sprintf(", %s: %s", name, value)
		}
	}
	return ""
}

// destination returns where a response redirects to, without the parts that may be secret.
func destination(header http.Header) string {
	location, err := url.Parse(header.Get("Location"))
	if err != nil || location.Host == "" {
		return ""
	}
	return " to " + location.Hostname()
}

func isHTML(header http.Header) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "text/html")
}

func contentType(header http.Header) string {
	if t := header.Get("Content-Type"); t != "" {
		return t
	}
	return "no content type"
}

// noResponse returns the fault of a request without a response.
func (c *Client) noResponse(ctx context.Context, call *call, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	f := &fault{call: call, unreachable: true, Failure: &connector.Failure{
		Class:    connector.Transient,
		Internal: c.scrub.secrets(err.Error()),
		Account:  c.options.Account,
	}}
	var fatal bool
	f.Message, fatal = c.cause(err)
	if f.Retryable = !fatal; fatal {
		f.Class = connector.ConfigError
	}
	f.broken = isCutOff(err)
	return f
}

// cause explains why there was no response, and reports whether only a configuration change can help.
func (c *Client) cause(err error) (message string, fatal bool) {
	if refusal, ok := errors.AsType[*proxyRefusal](err); ok {
		if refusal.status == http.StatusProxyAuthRequired {
			return fmt.Sprintf("The proxy requires a login (%s): set its user and password in HTTPS_PROXY, or exempt %s.", refusal, c.host), true
		}
		return fmt.Sprintf("The proxy refuses to connect to %s (%s): check HTTPS_PROXY, the proxy's allowlist and api_base.", c.host, refusal), refusal.status < 500
	}
	if message := c.certificateProblem(err); message != "" {
		return message, true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Sprintf("%s doesn't speak TLS: check the scheme and port of api_base, and check proxies.", c.host), true
	}
	op, _ := errors.AsType[*net.OpError](err)
	if op != nil && op.Op == "proxyconnect" {
		return "The proxy cannot be reached: check HTTPS_PROXY and the network, then try again later.", false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("The host name %s cannot be resolved: check DNS, the network and api_base, then try again later.", dns.Name), false
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s refuses connections: check api_base, proxies and firewalls, then try again later.", c.host), false
	case op != nil && op.Op == "dial":
		return fmt.Sprintf("%s cannot be reached: check the network, firewalls and api_base, then try again later.", c.host), false
	case isTimeout(err):
		return fmt.Sprintf("%s did not respond in time. Try again later; if the problem persists, check the network, firewalls, proxies and api_base.", c.host), false
	}
	return fmt.Sprintf("The connection to %s broke before a response arrived. Try again later; if the problem persists, check the network, proxies and api_base.", c.host), false
}

// certificateProblem explains why a certificate is not trusted, or returns "" if that isn't the problem.
func (c *Client) certificateProblem(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		return ""
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("The certificate of %s is not valid at the time of this machine, %s: correct its clock, or check for a proxy with an expired certificate.", c.host, c.options.Now().UTC().Format(time.RFC3339))
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("The certificate of %s was issued for another host: check api_base, DNS and proxies.", c.host)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && unknown.Cert != nil && len(unknown.Cert.Issuer.Organization) > 0 {
		return fmt.Sprintf("The certificate of %s is not trusted. It was issued by %q: if that is your own proxy inspecting TLS, add its certificate authority to the trusted ones of this machine.", c.host, shorten(unknown.Cert.Issuer.Organization[0]))
	}
	return fmt.Sprintf("The certificate of %s is not trusted: check api_base, proxies that inspect TLS, and the trusted certificate authorities of this machine.", c.host)
}

// isTimeout reports whether err is a timeout.
func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// isCutOff reports whether err occurred on an established connection, so that the response itself may be the problem.
func isCutOff(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return false
	}
	_, badTLS := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	_, proxy := errors.AsType[*proxyRefusal](err)
	_, dns := errors.AsType[*net.DNSError](err)
	return !badTLS && !noTLS && !proxy && !dns && !errors.Is(err, http.ErrSchemeMismatch)
}

// proxyRefusal is a proxy's response to CONNECT other than 200.
type proxyRefusal struct {
	status int
	text   string
}

func (p *proxyRefusal) Error() string { return p.text }

// checkConnect is called with a proxy's response to CONNECT.
func checkConnect(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{res.StatusCode, shorten(res.Status)}
}
