package server

import (
	"fmt"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// admissionRetryAfter is the retry delay sent to callers refused because too many Reads are running.
const admissionRetryAfter = 10 * time.Second

// admission limits the number of concurrent Reads. The zero value admits all.
type admission struct {
	maxReads, maxPerAccount int // 0 for no limit

	mu       sync.Mutex
	running  int
	accounts map[string]int // running Reads by account, except those with an unknown account
}

// enter admits a Read of an account, which is empty if unknown, or returns an error. If it is admitted, leave must be called
// at the end of the Read.
func (a *admission) enter(account string) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.maxReads > 0 && a.running >= a.maxReads {
		return nil, tooManyReads(fmt.Sprintf("This server is running %d Reads, its maximum: try again soon, or use another server.", a.maxReads))
	}
	if a.maxPerAccount > 0 && a.accounts[account] >= a.maxPerAccount {
		return nil, tooManyReads(fmt.Sprintf("This server is running %d Reads of this account, its maximum: try again when one of them has ended.",
			a.maxPerAccount))
	}
	a.running++
	if account != "" {
		if a.accounts == nil {
			a.accounts = map[string]int{}
		}
		a.accounts[account]++
	}
	return func() { a.leave(account) }, nil
}

func (a *admission) leave(account string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	if account == "" {
		return
	}
	if a.accounts[account]--; a.accounts[account] == 0 {
		delete(a.accounts, account)
	}
}

func tooManyReads(message string) error {
	return refusalError{&connector.Failure{
		Class: connector.RateLimit, Message: message, Retryable: true, RetryAfter: admissionRetryAfter,
	}}
}
