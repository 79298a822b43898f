package stripetest

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What happens between a client and Stripe. Proxies answer in HTML and with a clock of their own, Options.Now, and know none of
// Stripe's headers.
const (
	// ProxyAuthRequired is 407 of a proxy that wants a password.
	ProxyAuthRequired FaultKind = iota + 100
	// ProxyForbidden is 403 of a proxy or a firewall that does not let the request through.
	ProxyForbidden
	// Redirected is 302 to "/v1/moved", where nothing is, unless Fault.Header has a Location.
	Redirected
	// Dripping is the usual answer, whose body comes in ten pieces over Fault.Latency.
	Dripping
	// Stalled is the beginning of the usual answer, and then nothing until the client gives up.
	Stalled
)

// answerNetwork answers in place of a proxy, and reports whether it did.
func (x *exchange) answerNetwork() bool {
	switch x.fault.Kind {
	case BadGateway:
		x.proxy(http.StatusBadGateway, "nginx")
	case ProxyAuthRequired:
		x.w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		x.proxy(http.StatusProxyAuthRequired, "squid/5.7")
	case ProxyForbidden:
		x.proxy(http.StatusForbidden, "squid/5.7")
	case Redirected:
		x.w.Header().Set("Location", "/v1/moved")
		x.proxy(http.StatusFound, "nginx")
	default:
		return false
	}
	return true
}

func (x *exchange) proxy(status int, server string) {
	x.byProxy = true
	title := http.StatusText(status)
	x.write(status, "text/html", []byte("<html>\r\n<head><title>"+title+"</title></head>\r\n<body>\r\n"+
		"<center><h1>"+title+"</h1></center>\r\n<hr><center>"+server+"</center>\r\n</body>\r\n</html>\r\n"))
}

// setHeader applies the header lines of a fault.
func (f *Fault) setHeader(h http.Header) {
	for line := range strings.SplitSeq(f.Header, "\n") {
		name, text, _ := strings.Cut(line, ":")
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		switch text = strings.TrimSpace(text); {
		case name == "":
		case text == "":
			h[name] = nil // net/http adds no Date of its own then
		default:
			h.Set(name, text)
		}
	}
}

// broken sends the body as the fault has it, and reports whether it did: a part of it, or slowly.
func (x *exchange) broken(body []byte) bool {
	if x.fault == nil {
		return false
	}
	switch x.fault.Kind {
	case Truncated:
		x.send(x.part(body))
	case Dropped:
		x.send(x.part(body))
		panic(http.ErrAbortHandler)
	case Stalled:
		x.send(x.part(body))
		x.hang()
		panic(http.ErrAbortHandler)
	case Dripping:
		x.drip(body)
	default:
		return false
	}
	return true
}

// part returns what arrives of a body that is cut: two thirds, or up to the middle of the object that broke it.
func (x *exchange) part(body []byte) []byte {
	if x.fault.Containing != "" {
		if at := bytes.Index(body, []byte(quoted(x.fault.Containing).text)); at >= 0 {
			return body[:min(len(body), at+len(x.fault.Containing)+20)]
		}
	}
	return body[:len(body)*2/3]
}

// send writes a piece of the body. Flushing makes the transfer chunked, so that no Content-Length reveals a missing rest.
func (x *exchange) send(piece []byte) {
	if !x.sent {
		x.w.WriteHeader(x.status)
		x.sent = true
	}
	_, _ = x.w.Write(piece)
	_ = http.NewResponseController(x.w).Flush()
}

func (x *exchange) drip(body []byte) {
	const pieces = 10
	for i := range pieces {
		x.send(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
		if i < pieces-1 && !x.sleep(x.fault.Latency/(pieces-1)) {
			panic(http.ErrAbortHandler)
		}
	}
}

// hang waits until the client or the server gives up.
func (x *exchange) hang() {
	select {
	case <-x.request.Context().Done():
	case <-x.stripe.closed:
		panic(http.ErrAbortHandler) // to return would be to answer
	}
}

func unescapedQuery(request *http.Request) string {
	if plain, err := url.QueryUnescape(request.URL.RawQuery); err == nil {
		return plain
	}
	return request.URL.RawQuery
}

// date returns the header Date of an answer: Stripe's clock, or that of a proxy.
func (x *exchange) date() string {
	now := x.stripe.Now()
	if x.byProxy {
		now = x.stripe.options.Now()
	}
	return now.UTC().Truncate(time.Second).Format(http.TimeFormat)
}
