package stripetest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// FaultKind says what goes wrong. Kinds that are refusals in Stripe's words are in refusals.go, those of lists that never
// end in endless.go, and those of the network between a client and Stripe in network.go.
type FaultKind int

const (
	// Slow is the usual answer, later by Fault.Latency. With no latency it is the usual answer with Fault.Header and Fault.Edit.
	Slow FaultKind = iota
	// RateLimited is 429 with the header Stripe-Rate-Limited-Reason (https://docs.stripe.com/rate-limits).
	RateLimited
	// LockTimeout is 429 without that header (https://docs.stripe.com/rate-limits#object-lock-timeouts).
	LockTimeout
	// ServerError is 500 with a JSON body.
	ServerError
	// BadGateway is 502 with an HTML body, as proxies send it.
	BadGateway
	// EmptyBody is 200 without a body.
	EmptyBody
	// Truncated is 200 with a body that ends early although the transfer is complete.
	Truncated
	// Dropped is 200 and a connection that breaks in the middle of the body.
	Dropped
	// Hanging is no answer at all, until the client gives up.
	Hanging
	// WrongContent is 200 with JSON that is not what was asked for.
	WrongContent
)

// Fault is something that goes wrong with some requests. Its fields say what goes wrong, with which requests, and how often.
// A request must fit all of Path, Account, Key, Query, Object and Containing that are set. Faults are comparable.
type Fault struct {
	// Kind is what goes wrong.
	Kind FaultKind

	// Path is the pattern of the path, as Endpoint.Path has it: "/v1/charges", "/v1/charges/{id}".
	Path string
	// Account is the id of the account that the request is about.
	Account string
	// Key is the API key.
	Key string
	// Query is a part of the unescaped query: "data.sources" hits requests that expand it.
	Query string
	// Object is the id of an object that the path names: its retrieval, and the lists below it.
	Object string
	// Containing is the id of an object that the answer, a list, would hold, at any page size. Truncated and Dropped cut
	// such an answer within the object, so that those before it arrive whole.
	Containing string

	// Skip is how many of those requests go well first.
	Skip int
	// Times is how often the fault happens, 0 meaning forever. Skip: 4 and Times: 1 hits the fifth request.
	Times int
	// Probability is the chance of each request, from 0 to 1; 0 means every request.
	Probability float64
	// Until, where set, is when the fault ends, on Stripe's clock.
	Until time.Time

	// Reason is for RateLimited: "global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency" or
	// "resource-specific"; "endpoint-rate" by default. For PermissionMissing it is the permission that the message names, by
	// default the one that the path needs.
	Reason string
	// Latency is for Slow, and how long the body takes for Dripping.
	Latency time.Duration
	// Status, where set, replaces the status of the answer: 401 for PermissionMissing, as some live keys get it.
	Status int
	// Header has lines to set on the answer, such as "Retry-After: 86400\nStripe-Should-Retry: false". "Date:", without a value,
	// removes the header.
	Header string
	// Edit changes the answer, be it a list, an object or an error: {Property: "has_more"} is a list that lacks it.
	Edit Edit
}

// faults are those in force.
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

// Inject adds a fault and returns a function that removes it. Of several that apply, the one added first happens. The same
// seed and the same order of requests result in the same faults.
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

// Break makes an object unreadable: its retrieval, the lists below it and every page that would contain it fail as kind says.
// The function returned repairs it.
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

// choose returns the fault that hits a request before its response is determined, or nil.
func (f *faults) choose(x *exchange) *Fault {
	return f.first(x, func(fault *Fault) bool { return fault.Containing == "" })
}

// chooseContaining returns the fault that hits a list because of one of its items, or nil.
func (f *faults) chooseContaining(x *exchange, items []ref) *Fault {
	return f.first(x, func(fault *Fault) bool {
		return fault.Containing != "" && slices.ContainsFunc(items, func(item ref) bool { return item.named(fault.Containing) })
	})
}

// named reports whether an object has an id.
func (t ref) named(id string) bool {
	if t.store.kind.ids != nil {
		return t.store.id(t.ordinal) == id
	}
	ordinal, ok := t.store.ordinal(id)
	return ok && ordinal == t.ordinal
}

// first returns the first fault that hits a request and that fits, or nil.
func (f *faults) first(x *exchange, fits func(*Fault) bool) *Fault {
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, active := range f.list {
		if active.inForce(x.stripe.Now()) && active.meets(x) && fits(&active.Fault) && active.happens(f.seed) {
			fault := active.Fault
			return &fault
		}
	}
	return nil
}

// inForce reports whether the fault may still happen.
func (f *activeFault) inForce(now time.Time) bool {
	return (f.Times == 0 || f.happened < f.Times) && (f.Until.IsZero() || now.Before(f.Until))
}

// meets reports whether the fault is about a request.
func (f *Fault) meets(x *exchange) bool {
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

// happens counts a request that the fault is about, and decides whether it hits.
func (f *activeFault) happens(seed uint64) bool {
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

// wait spends the time that a fault costs, and reports false where there will be no answer.
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

// answerFault answers in place of Stripe, and reports whether it did.
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
