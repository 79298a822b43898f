package stripetest

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind int

const (
	// Slow is an answer that comes later, by Fault.Latency.
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

// Fault is something that goes wrong with some requests.
type Fault struct {
	Kind FaultKind
	// Path is the pattern of the requests that are meant, as Endpoint.Path has it: "/v1/charges", "/v1/charges/{id}". "" means
	// all.
	Path string
	// Skip leaves the first of those requests alone.
	Skip int
	// Times is how often it happens, 0 meaning for ever. Skip: 4 and Times: 1 hits the fifth request.
	Times int
	// Probability is the chance of each request, from 0 to 1; 0 means every request.
	Probability float64
	// Reason is for RateLimited: "global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency" or
	// "resource-specific"; "endpoint-rate" by default.
	Reason string
	// Latency is for Slow.
	Latency time.Duration
}

// faults chooses the fault of a request, if any.
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

// Inject adds a fault and returns a function that takes it away. Of several that apply, the one added first happens. The same
// seed and the same order of requests give the same faults.
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

// ClearFaults takes all faults away.
func (s *Stripe) ClearFaults() {
	s.faults.lock.Lock()
	defer s.faults.lock.Unlock()
	s.faults.list = nil
}

func (f *faults) choose(pattern string) *Fault {
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, active := range f.list {
		if active.applies(f.seed, pattern) {
			return &active.Fault
		}
	}
	return nil
}

func (f *activeFault) applies(seed uint64, pattern string) bool {
	if f.Path != "" && f.Path != pattern || f.Times > 0 && f.happened >= f.Times {
		return false
	}
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
		select {
		case <-x.request.Context().Done():
		case <-x.stripe.closed:
			panic(http.ErrAbortHandler) // to return would be to answer
		}
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
	case BadGateway:
		x.write(http.StatusBadGateway, "text/html", []byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"+
			"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"))
	case EmptyBody:
		x.write(http.StatusOK, "application/json", nil)
	case WrongContent:
		x.write(http.StatusOK, "application/json", []byte(`{"status": "ok"}`))
	default:
		return false
	}
	return true
}

// cut sends a part of the body. Truncated ends the transfer properly; Dropped breaks the connection.
func (x *exchange) cut(body []byte) {
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(body[:len(body)*2/3])
	// Flushing makes the transfer chunked, so that no Content-Length tells of the missing rest.
	_ = http.NewResponseController(x.w).Flush()
	if x.fault.Kind == Dropped {
		panic(http.ErrAbortHandler)
	}
}
