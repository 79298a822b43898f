package stripetest

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Faults of the network between a client and Stripe. Proxies answer in HTML, with their own clock (Options.Now) and without
// Stripe's headers.
const (
	// ProxyAuthRequired is a 407 from a proxy that requires a password.
	ProxyAuthRequired FaultKind = iota + 100
	// ProxyForbidden is a 403 from a proxy or firewall that blocks the request.
	ProxyForbidden
	// Redirected is a 302 to Fault.Header's Location, or by default to "/v1/moved", which does not exist.
	Redirected
	// Dripping is the normal response, with the body sent in ten pieces over Fault.Latency.
	Dripping
	// Stalled is the start of the normal response, then nothing until the client disconnects.
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
			h[name] = nil // keeps net/http from adding its own Date
		default:
			h.Set(name, text)
		}
	}
}

// sendBroken sends the body truncated or slowly if the fault requires it, and reports whether it did.
func (x *exchange) sendBroken(body []byte) bool {
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

// part returns the part of a cut body that arrives: two thirds, or everything up to the middle of the Containing object.
func (x *exchange) part(body []byte) []byte {
	if x.fault.Containing != "" {
		if at := bytes.Index(body, []byte(quoted(x.fault.Containing).text)); at >= 0 {
			return body[:min(len(body), at+len(x.fault.Containing)+20)]
		}
	}
	return body[:len(body)*2/3]
}

// send writes a piece of the body. Flushing makes the transfer chunked, so no Content-Length reveals what is missing.
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

// hang blocks until the client disconnects or the server is closed.
func (x *exchange) hang() {
	select {
	case <-x.request.Context().Done():
	case <-x.stripe.closed:
		panic(http.ErrAbortHandler) // returning would send a response
	}
}

func unescapedQuery(request *http.Request) string {
	if plain, err := url.QueryUnescape(request.URL.RawQuery); err == nil {
		return plain
	}
	return request.URL.RawQuery
}

// date returns the response's Date header, by Stripe's clock or the proxy's.
func (x *exchange) date() string {
	now := x.stripe.Now()
	if x.byProxy {
		now = x.stripe.options.Now()
	}
	return now.UTC().Truncate(time.Second).Format(http.TimeFormat)
}
