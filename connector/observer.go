package connector

import (
	"context"
	"time"
)

// Observer is notified of the requests that a source makes to its service, for metrics and traces. Its methods are
// called concurrently, and the source waits for them to return. They are never passed a secret, an id or customer
// data.
type Observer interface {
	// Requested is called when a request has ended. ctx is the context of the call that needed the request.
	Requested(ctx context.Context, r Request)
	// Waited is called after a request had to wait before it could be sent.
	Waited(ctx context.Context, w Wait)
}

// Request is one request to the service that a source reads. A retry is a request of its own.
type Request struct {
	Endpoint string // with placeholders for ids, such as "/v1/invoices/{parent}/lines"
	Attempt  int    // 1 for the first attempt, 2 for the first retry, and so on
	Began    time.Time
	Took     time.Duration // until the response was read and parsed, or the request failed
	Status   int           // HTTP status; zero if there was no response
	Limit    string        // the rate limit that refused the request, one of a few names; empty if none did
	Class    Class         // class of its failure; zero if it succeeded or the caller canceled it
}

// Wait is time spent before a request could be sent.
type Wait struct {
	Endpoint string
	Cause    WaitCause
	Took     time.Duration
}

// WaitCause is why a request had to wait.
type WaitCause string

// The causes of a wait.
const (
	WaitForRate  WaitCause = "rate"  // for the service's rate limit
	WaitForRetry WaitCause = "retry" // to back off before a retry
)

// Paced is a [Source] that limits the rate of its requests.
type Paced interface {
	// Pace returns the current rate.
	Pace() Pace
}

// Pace describes the current request rate of a source, summed over the accounts in use.
type Pace struct {
	Accounts int
	Ceiling  float64 // the most requests per second that the service is known to allow
	Allowed  float64 // the requests per second that the source currently allows itself, less than Ceiling after a refusal
	InFlight int     // requests currently being made
	Waiting  int     // requests waiting to be sent
}
