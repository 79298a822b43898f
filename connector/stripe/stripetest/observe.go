package stripetest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Endpoint is the key by which requests are counted.
type Endpoint struct {
	Method string
	// Path is a pattern, such as "/v1/charges" or "/v1/charges/{id}", or the path itself if it matches no pattern.
	Path string
	// Status is 0 for requests that got no response.
	Status int
}

// Request describes a request to Observe.
type Request struct {
	Endpoint
	// URL is the path and query.
	URL string
	// Account is the connected account named in the Stripe-Account header, or "".
	Account string
	// Version is the Stripe-Version header.
	Version  string
	Duration time.Duration
	// Bytes is the size of the response body as sent.
	Bytes int
}

// observer counts requests.
type observer struct {
	lock                  sync.Mutex
	counts                map[Endpoint]int
	number                uint64
	since                 uint64 // requests up to this number are no longer counted
	inFlight, maxInFlight int
	violations            []string
}

func (o *observer) begin() uint64 {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.number++
	o.inFlight++
	o.maxInFlight = max(o.maxInFlight, o.inFlight)
	return o.number
}

func (o *observer) end(x *exchange) {
	e := Endpoint{x.request.Method, x.pattern, x.status}
	o.lock.Lock()
	if x.number > o.since {
		o.counts[e]++
	}
	o.inFlight--
	o.lock.Unlock()
	options := &x.stripe.options
	if options.Log == nil && options.Observe == nil {
		return
	}
	seen := Request{Endpoint: e, URL: x.request.URL.RequestURI(), Account: x.request.Header.Get("Stripe-Account"),
		Version: x.request.Header.Get("Stripe-Version"), Duration: time.Since(x.begin), Bytes: x.bytes}
	if options.Log != nil {
		options.Log.Info("stripe request", "method", e.Method, "url", seen.URL, "status", e.Status, "account", seen.Account,
			"duration", seen.Duration, "bytes", seen.Bytes)
	}
	if options.Observe != nil {
		options.Observe(seen)
	}
}

func (o *observer) violation(what string) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.violations = append(o.violations, what)
}

// Requests returns the number of requests by method, path pattern and status. A request is counted when it ends, which is
// slightly after its client has the response, so Requests briefly waits for requests in flight.
func (s *Stripe) Requests() map[Endpoint]int {
	for range 100 {
		if s.observer.idle() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.observer.lock.Lock()
	defer s.observer.lock.Unlock()
	return maps.Clone(s.observer.counts)
}

func (o *observer) idle() bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.inFlight == 0
}

// RequestCount returns the number of requests to a path pattern, or of all requests if path is "".
func (s *Stripe) RequestCount(path string) int {
	n := 0
	for e, count := range s.Requests() {
		if path == "" || e.Path == path {
			n += count
		}
	}
	return n
}

// ResetRequests resets all counts. Requests in flight are not counted, since their clients may already have the response.
func (s *Stripe) ResetRequests() {
	s.observer.lock.Lock()
	defer s.observer.lock.Unlock()
	s.observer.counts, s.observer.since = map[Endpoint]int{}, s.observer.number
	s.observer.maxInFlight = s.observer.inFlight
}

// MaxInFlight returns the maximum number of requests in flight at the same time.
func (s *Stripe) MaxInFlight() int {
	s.observer.lock.Lock()
	defer s.observer.lock.Unlock()
	return s.observer.maxInFlight
}

// Violations returns the requests that a reader must never send: those other than GET. A test should find none.
func (s *Stripe) Violations() []string {
	s.observer.lock.Lock()
	defer s.observer.lock.Unlock()
	return slices.Clone(s.observer.violations)
}

// MinRequests returns the minimum number of requests that reading a list takes with pages of 100: one per page, and one for
// an empty list. For a path with a placeholder, it is the total for the lists that do not fit in their parents' embedded pages
// of ten: one request per hundred items, and none for lists of at most ten items.
func (a *Account) MinRequests(path string) int {
	end, _ := a.stripe.model.match(splitPath(path))
	if end == nil || end.route == nil || !end.route.nested() {
		return max(1, (a.Count(path)+99)/100)
	}
	a.stripe.lock.RLock()
	defer a.stripe.lock.RUnlock()
	n := 0
	for _, parent := range a.parents(end.route, "{}") {
		if count := len(a.items(end.route, &parent)); count > embeddedLimit {
			n += (count - embeddedLimit + 99) / 100
		}
	}
	return n
}
