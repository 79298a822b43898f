package connector

import (
	"context"
	"time"
)

// Observer is told what a source asks of the service that it reads, for metrics and traces. It is called from many
// goroutines at once, holds them up, and is told no secret, no id and no customer's data.
type Observer interface {
	// Requested tells of a request that ended. ctx is that of the call which it served.
	Requested(ctx context.Context, r Request)
	// Waited tells of time that passed before a request could be made.
	Waited(ctx context.Context, w Wait)
}

// Request is one request to the service that a source reads; made again, it is another.
type Request struct {
	Endpoint string // with placeholders for ids, such as "/v1/invoices/{parent}/lines"
	Attempt  int    // 1, and more for each time that it was made again
	Began    time.Time
	Took     time.Duration // until its answer was read and understood, or did not come
	Status   int           // of HTTP; zero if there was no answer
	Limit    string        // which of few rate limits it was refused at; empty if at none
	Class    Class         // of its failure; zero if there was none, or the caller was gone
}

// Wait is time that passed before a request could be made.
type Wait struct {
	Endpoint string
	Cause    WaitCause
	Took     time.Duration
}

// WaitCause is why a request had to wait.
type WaitCause string

// The causes.
const (
	WaitForRate  WaitCause = "rate"  // for its turn at the rate that the service allows
	WaitForRetry WaitCause = "retry" // after a failure, before it is made again
)

// Paced is a Source that keeps to a rate.
type Paced interface {
	// Pace tells of the rate at present.
	Pace() Pace
}

// Pace is the rate of a source at present, summed over the accounts in use.
type Pace struct {
	Accounts int
	Ceiling  float64 // requests per second that the service is known to allow at most
	Allowed  float64 // requests per second that the source allows itself, having been refused lately or not
	InFlight int     // requests
	Waiting  int     // requests that wait for their turn
}
