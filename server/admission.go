package server

import (
	"fmt"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// admissionRetryAfter is how long a caller should wait whose Read was refused because too many run.
const admissionRetryAfter = 10 * time.Second

// admission bounds how many Reads run at once. The zero value admits all.
type admission struct {
	most, mostOfAccount int // 0 for no bound

	mu       sync.Mutex
	running  int
	accounts map[string]int // Reads by account, without those that have none
}

// enter admits a Read of an account, whose name may be empty if nobody knows it. When the Read is over, leave must be
// called.
func (a *admission) enter(account string) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.most > 0 && a.running >= a.most {
		return nil, tooMany(fmt.Sprintf("This server runs %d Reads at once and no more: try again soon, or another server.", a.most))
	}
	if a.mostOfAccount > 0 && a.accounts[account] >= a.mostOfAccount {
		return nil, tooMany(fmt.Sprintf("This server runs %d Reads of one account at once and no more: try again when one of them has ended.",
			a.mostOfAccount))
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

func tooMany(message string) error {
	return refusalError{&connector.Failure{
		Class: connector.RateLimit, Message: message, Retryable: true, RetryAfter: admissionRetryAfter,
	}}
}
