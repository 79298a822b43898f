package stripetest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind says what goes wrong. Further kinds are in refusals.go (refusals in Stripe's words), endless.go (lists that never
// end) and network.go (the network between a client and Stripe).
type FaultKind int

const (
	// Slow delays the normal response by Fault.Latency. Without a latency, it only applies Fault.Header and Fault.Edit.
	Slow FaultKind = iota
	// RateLimited is a 429 with the Stripe-Rate-Limited-Reason header (https://docs.stripe.com/rate-limits).
	RateLimited
	// LockTimeout is a 429 without that header (https://docs.stripe.com/rate-limits#object-lock-timeouts).
	LockTimeout
	// ServerError is a 500 with a JSON body.
	ServerError
	// BadGateway is a 502 with an HTML body, as proxies send it.
	BadGateway
	// EmptyBody is a 200 without a body.
	EmptyBody
	// Truncated is a 200 whose body ends early although the transfer is complete.
	Truncated
	// Dropped is a 200 whose connection breaks in the middle of the body.
	Dropped
	// Hanging sends nothing until the client disconnects.
	Hanging
	// WrongContent is a 200 with unrelated JSON.
	WrongContent
)

// Fault describes what goes wrong, for which requests, and how often. A request must match every one of Path, Account, Key,
// Query, Object and Containing that is set. Faults are comparable.
type Fault struct {
	// Kind is what goes wrong.
	Kind FaultKind

	// Path is the pattern of the path, as in Endpoint.Path: "/v1/charges", "/v1/charges/{id}".
	Path string
	// Account is the id of the account that the request is for.
	Account string
	// Key is the API key.
	Key string
	// Query is a substring of the unescaped query: "data.sources" matches requests that expand it.
	Query string
	// Object is the id of an object named in the path. It matches the object's retrieval and the lists below it.
	Object string
	// Containing is the id of an object that would be in the response, if that is a list, at any page size. Truncated and
	// Dropped cut the response inside that object, so the objects before it arrive whole.
	Containing string

	// Skip is the number of matching requests that succeed first.
	Skip int
	// Times is how often the fault occurs; 0 means forever. Skip: 4 and Times: 1 affects only the fifth request.
	Times int
	// Probability is the chance that a request is affected, from 0 to 1; 0 means every request.
	Probability float64
	// Until, if set, is when the fault ends, on Stripe's clock.
	Until time.Time

	// Reason is the reason for RateLimited: "global-rate", "global-concurrency", "endpoint-rate" (the default),
	// "endpoint-concurrency" or "resource-specific". For PermissionMissing, it is the permission named in the message, by
	// default the one that the path requires.
	Reason string
	// Latency is the delay for Slow, and the duration of the body for Dripping.
	Latency time.Duration
	// Status, if set, replaces the response's status: 401 for PermissionMissing, which some live keys get.
	Status int
	// Header holds header lines to set on the response, such as "Retry-After: 86400\nStripe-Should-Retry: false". "Date:",
	// without a value, removes that header.
	Header string
	// Edit changes the response, whether list, object or error: {Property: "has_more"} removes has_more from a list.
	Edit Edit
}

// faults holds the faults in force.
type faults struct {
	seed  uint64
	lock  sync.Mutex
	list  []*activeFault
	count uint64
}

type activeFault struct {
	Fault
	number          uint64
	seen, happened  int
	probabilitySeen int32
}

// Inject adds a fault and returns a function that removes it. If several faults apply, the first one added wins. The same seed
// and the same order of requests produce the same faults.
func (s *Stripe) Inject(fault Fault) (remove func()) {
	s.faults.lock.Lock()
	defer s.faults.lock.Unlock()
	s.faults.count++
	active := &activeFault{Fault: fault, number: s.faults.count}
	s.faults.list = append(s.faults.list, active)
	return func() {
		s.faults.lock.Lock()
		defer s.faults.lock.Unlock()
		s.faults.list = slices.DeleteFunc(s.faults.list, func(f *activeFault) bool { return f == active })
	}
}

// Break makes an object unreadable: retrieving it, listing anything below it, and reading any page that would contain it all
// fail with the given kind. The returned function repairs it.
func (s *Stripe) Break(id string, kind FaultKind) (repair func()) {
	named, contained := s.Inject(Fault{Kind: kind, Object: id}), s.Inject(Fault{Kind: kind, Containing: id})
	return func() {
		named()
		contained()
	}
}

// ClearFaults removes all faults.
func (s *Stripe) ClearFaults() {
	s.faults.lock.Lock()
	defer s.faults.lock.Unlock()
	s.faults.list = nil
}

// choose returns the fault that affects a request regardless of its response, or nil.
func (f *faults) choose(x *exchange) *Fault {
	return f.first(x, func(fault *Fault) bool { return fault.Containing == "" })
}

// chooseContaining returns the fault that affects a list because of one of its items, or nil.
func (f *faults) chooseContaining(x *exchange, items []ref) *Fault {
	return f.first(x, func(fault *Fault) bool {
		return fault.Containing != "" && slices.ContainsFunc(items, func(item ref) bool { return item.named(fault.Containing) })
	})
}

// named reports whether the object has the given id.
func (t ref) named(id string) bool {
	if t.store.kind.ids != nil {
		return t.store.id(t.ordinal) == id
	}
	ordinal, ok := t.store.ordinal(id)
	return ok && ordinal == t.ordinal
}

// first returns the first applicable fault for which fits returns true, or nil.
func (f *faults) first(x *exchange, fits func(*Fault) bool) *Fault {
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, active := range f.list {
		if active.isInForce(x.stripe.Now()) && active.matches(x) && fits(&active.Fault) && active.fires(f.seed) {
			fault := active.Fault
			return &fault
		}
	}
	return nil
}

// isInForce reports whether the fault can still occur.
func (f *activeFault) isInForce(now time.Time) bool {
	return (f.Times == 0 || f.happened < f.Times) && (f.Until.IsZero() || now.Before(f.Until))
}

// matches reports whether the fault applies to a request.
func (f *Fault) matches(x *exchange) bool {
	if f.Path != "" && f.Path != x.pattern || f.Object != "" && !slices.Contains(x.ids, f.Object) {
		return false
	}
	if f.Query != "" && !strings.Contains(unescapedQuery(x.request), f.Query) {
		return false
	}
	if f.Key != "" && f.Key != keyOf(x.request) {
		return false
	}
	return f.Account == "" || f.Account == x.stripe.accountOf(x.request)
}

// fires counts a matching request and decides whether the fault affects it.
func (f *activeFault) fires(seed uint64) bool {
	f.seen++
	if f.seen <= f.Skip {
		return false
	}
	if f.Probability > 0 {
		f.probabilitySeen++
		if float64(draw(seed, f.probabilitySeen, f.number)>>11)/(1<<53) >= f.Probability {
			return false
		}
	}
	f.happened++
	return true
}

// wait blocks for the fault's delay, and reports false if there will be no response.
func (x *exchange) wait() bool {
	switch {
	case x.fault == nil:
		return true
	case x.fault.Kind == Slow:
		return x.sleep(x.fault.Latency)
	case x.fault.Kind == Hanging:
		x.hang()
		return false
	}
	return true
}

// answerFault sends the fault's response, if it has one, and reports whether it did.
func (x *exchange) answerFault() bool {
	if x.fault == nil {
		return false
	}
	switch x.fault.Kind {
	case RateLimited:
		reason := x.fault.Reason
		if reason == "" {
			reason = "endpoint-rate"
		}
		x.writeError(rateLimited(reason))
	case LockTimeout:
		x.writeError(lockTimeout())
	case ServerError:
		x.writeError(serverError())
	case EmptyBody:
		x.write(http.StatusOK, "application/json", nil)
	case WrongContent:
		x.write(http.StatusOK, "application/json", []byte(`{"status": "ok"}`))
	default:
		if err := x.refusal(); err != nil {
			x.writeError(err)
			return true
		}
		return x.answerNetwork()
	}
	return true
}
