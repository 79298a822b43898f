package stripetest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers a request like Stripe.
func (s *Stripe) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	x := &exchange{stripe: s, w: w, request: request, begin: time.Now(), number: s.observer.begin()}
	x.version = s.versionOf(request)
	x.model = s.modelOf(x.version)
	x.end, x.ids = x.model.match(unescaped(request.URL.EscapedPath()))
	x.pattern = request.URL.Path
	if x.end != nil {
		x.pattern = x.end.pattern
	}
	defer func() { s.observer.end(x) }()
	x.fault = s.faults.choose(x)
	if !x.wait() || x.answerFault() {
		return
	}
	r := s.renderer(false)
	defer s.buffers.Put(r)
	early := x.fault
	if err := s.serve(x, r); err != nil {
		x.writeError(err)
		return
	}
	if x.fault != early && (!x.wait() || x.answerFault()) {
		return
	}
	x.write(http.StatusOK, "application/json", r.buf)
}

// serve checks the request in the same order as Stripe, and renders the response.
func (s *Stripe) serve(x *exchange, r *renderer) *apiError {
	caller, err := s.authenticate(x.request)
	if err != nil {
		return err
	}
	if err := checkVersion(x.version); err != nil {
		return err
	}
	release, err := s.limits.admit(caller, x.pattern)
	if err != nil {
		return err
	}
	defer release()
	if x.request.Method != http.MethodGet {
		s.observer.violation(x.request.Method + " " + x.request.URL.Path)
		e := unrecognized(x.request.Method, x.request.URL.Path, "")
		e.status = http.StatusMethodNotAllowed
		return e
	}
	if x.end == nil {
		return unrecognized(x.request.Method, x.request.URL.Path, "")
	}
	if err := s.authorize(x, caller); err != nil {
		return err
	}
	if !x.latency() {
		return serverError()
	}
	values, parseErr := url.ParseQuery(x.request.URL.RawQuery)
	if parseErr != nil {
		return invalid("", "", "Invalid query string.")
	}
	r.live, r.model = caller.live, x.model
	s.lock.RLock()
	defer s.lock.RUnlock()
	r.now = s.now()
	return caller.account.answer(x, caller, r, values)
}

// unescaped splits a path into its unescaped segments, which may contain slashes.
func unescaped(path string) []string {
	list := splitPath(path)
	for i, segment := range list {
		if plain, err := url.PathUnescape(segment); err == nil {
			list[i] = plain
		}
	}
	return list
}

// exchange is one request and its response.
type exchange struct {
	stripe  *Stripe
	w       http.ResponseWriter
	request *http.Request
	begin   time.Time
	// number is the number of the request, counting from 1.
	number  uint64
	version string // of the API
	model   *model
	end     *endpoint // nil if no endpoint matches
	ids     []string  // in the path
	pattern string
	fault   *Fault
	// status is 0 until a response is written.
	status int
	bytes  int
	// withoutID omits the Request-Id header, as Stripe does for some lock timeouts.
	withoutID bool
	// byProxy marks a response that has none of Stripe's headers.
	byProxy bool
	// sent is true once the headers have been sent.
	sent bool
}

// sleep waits for d, and reports false if the client disconnected or the Stripe was closed.
func (x *exchange) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.request.Context().Done():
	case <-x.stripe.closed:
	}
	return false
}

// latency waits for the time given by Options.Latency.
func (x *exchange) latency() bool {
	if x.stripe.options.Latency == nil {
		return true
	}
	return x.sleep(x.stripe.options.Latency(x.pattern))
}

func (x *exchange) writeError(err *apiError) {
	c := compiler{}
	c.value(err.value(), x.stripe.level())
	if err.rateLimitedReason != "" {
		x.w.Header().Set("Stripe-Rate-Limited-Reason", err.rateLimitedReason)
	}
	x.withoutID = err.withoutID
	x.write(err.status, "application/json", []byte(c.text.String()))
}

// headers sets the headers of every response.
func (x *exchange) headers(contentType string) {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Date", x.date())
	if x.byProxy {
		return
	}
	h.Set("Cache-Control", "no-cache, no-store")
	if !x.withoutID {
		h.Set("Request-Id", x.requestID())
	}
	h.Set(versionHeader, x.version)
}

func (x *exchange) requestID() string {
	return "req_" + string(appendBase62(nil, draw(x.stripe.options.Seed, int32(x.number), 10), 14))
}

// write sends the response, modified as the fault requires.
func (x *exchange) write(status int, contentType string, body []byte) {
	x.headers(contentType)
	if x.fault != nil {
		status = cmp.Or(x.fault.Status, status)
		x.fault.setHeader(x.w.Header())
		body = x.fault.Edit.applyTo(body)
	}
	x.status = status
	if x.stripe.options.Gzip && strings.Contains(x.request.Header.Get("Accept-Encoding"), "gzip") {
		x.w.Header().Set("Content-Encoding", "gzip")
		body = compressed(body)
	}
	x.bytes = len(body)
	if x.sendBroken(body) {
		return
	}
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	// An error here only means that the client disconnected.
	_, _ = x.w.Write(body)
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	// Writing to a bytes.Buffer cannot fail.
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}
