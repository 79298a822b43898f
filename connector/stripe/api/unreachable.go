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

// foreign is an answer that isn't Stripe's: something in between gave it.
func (c *Client) foreign(call *call, res *http.Response, body string) error {
	f := c.fault(call, res)
	f.unreachable = true
	f.Internal = fmt.Sprintf("%s answered %d with %s of %s", call.path, res.StatusCode, body, contentType(res.Header))
	f.RetryAfter = c.retryAfter(res.Header)
	who := c.signature(res.Header)
	switch status := res.StatusCode; {
	case status == http.StatusProxyAuthRequired:
		f.Class = connector.ConfigError
		f.Message = fmt.Sprintf("A proxy between the connector and Stripe asks for a login (%s%s): set the proxy's user and password in HTTPS_PROXY, or let it pass %s.", res.Status, who, c.host)
	case status/100 == 3:
		f.Class = connector.ConfigError
		f.Message = fmt.Sprintf("Something between the connector and Stripe redirects requests%s (%s%s), which Stripe never does: look for a proxy that wants a login, and at api_base.", destination(res.Header), res.Status, who)
	case status == http.StatusOK:
		f.Class = connector.ConfigError
		f.Message = fmt.Sprintf("Something between the connector and Stripe answers with a web page in Stripe's place (%s%s): look for a proxy that wants a login, and at api_base.", res.Status, who)
	case status == http.StatusTooManyRequests:
		f.Class, f.Retryable = connector.RateLimit, true
		f.Message = fmt.Sprintf("A proxy or gateway between the connector and Stripe limits the rate of requests (%s%s): raise its limit for %s, or look at api_base, and try again later.", res.Status, who, c.host)
	case status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooEarly:
		f.Class = connector.ConfigError
		if c.met.Load() { // the way to Stripe is open, but for this
			f.Class = connector.PermissionError
		}
		f.Message = fmt.Sprintf("A proxy or firewall between the connector and Stripe refuses GET %s (%s%s): let it pass requests to %s, and look at api_base.", call.endpoint, res.Status, who, c.host)
	default:
		f.Class, f.Retryable = connector.Transient, true
		f.broken = status >= 500
		f.Message = fmt.Sprintf("A proxy or gateway answers in Stripe's place (%s%s). Try again later; if it stays, look at the way to %s and at api_base.", res.Status, who, c.host)
	}
	return f
}

// signature returns how something in between names itself, in parentheses' middle.
func (c *Client) signature(header http.Header) string {
	for _, name := range []string{"Proxy-Agent", "Via", "Server"} {
		if value := c.scrub.clean(header.Get(name)); value != "" && len(value) <= 100 {
			return fmt.Sprintf(", %s: %s", name, value)
		}
	}
	return ""
}

// destination says where an answer redirects to: the host only, the rest may be secret.
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

// unanswered is a request without an answer.
func (c *Client) unanswered(ctx context.Context, call *call, err error) error {
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

// cause explains why there was no answer, and reports whether only a change of configuration helps.
func (c *Client) cause(err error) (message string, fatal bool) {
	if refusal, ok := errors.AsType[*proxyRefusal](err); ok {
		if refusal.status == http.StatusProxyAuthRequired {
			return fmt.Sprintf("The proxy asks for a login (%s): set its user and password in HTTPS_PROXY, or let it pass %s.", refusal, c.host), true
		}
		return fmt.Sprintf("The proxy refuses to connect to %s (%s): look at HTTPS_PROXY, at what the proxy allows, and at api_base.", c.host, refusal), refusal.status < 500
	}
	if message := c.untrusted(err); message != "" {
		return message, true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Sprintf("There is no TLS at %s: look at api_base, its scheme and port, and at proxies.", c.host), true
	}
	op, _ := errors.AsType[*net.OpError](err)
	if op != nil && op.Op == "proxyconnect" {
		return "The proxy cannot be reached: look at HTTPS_PROXY and the network, and try again later.", false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("The name %s cannot be resolved: look at DNS, the network, and api_base, and try again later.", dns.Name), false
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s refuses connections: look at api_base, proxies and firewalls, and try again later.", c.host), false
	case op != nil && op.Op == "dial":
		return fmt.Sprintf("%s cannot be reached: look at the network, firewalls, and api_base, and try again later.", c.host), false
	case isTimeout(err):
		return fmt.Sprintf("%s did not answer in time. Try again later; if it stays, look at the network, firewalls, proxies, and api_base.", c.host), false
	}
	return fmt.Sprintf("The connection to %s broke before an answer came. Try again later; if it stays, look at the network, proxies, and api_base.", c.host), false
}

// untrusted explains a certificate that is not trusted; "" if that is not what is wrong.
func (c *Client) untrusted(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		return ""
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("The certificate of %s is not valid at the time of this machine, %s: set its clock, or look for a proxy with an old certificate.", c.host, c.options.Now().UTC().Format(time.RFC3339))
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("The certificate that %s shows is another host's: look at api_base, DNS, and proxies.", c.host)
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && unknown.Cert != nil && len(unknown.Cert.Issuer.Organization) > 0 {
		return fmt.Sprintf("The certificate of %s is not trusted; it was issued by %q: if that is a proxy of yours that reads TLS, add its authority to the machine's trusted ones.", c.host, shortened(unknown.Cert.Issuer.Organization[0]))
	}
	return fmt.Sprintf("The certificate of %s is not trusted: look at api_base, at proxies that read TLS, and at the trusted authorities of the machine.", c.host)
}

// isTimeout reports whether err is a time limit's.
func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// isCutOff reports whether a connection stood before err came, so that it may be the answer that was too much.
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

// proxyRefusal is a proxy's answer to CONNECT that is not 200.
type proxyRefusal struct {
	status int
	text   string
}

func (p *proxyRefusal) Error() string { return p.text }

// connected is called with a proxy's answer to CONNECT.
func connected(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{res.StatusCode, shortened(res.Status)}
}
