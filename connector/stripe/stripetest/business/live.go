package business

import (
	"context"
	"fmt"
	"time"
)

// Step makes one thing happen now and describes it: a customer subscribes and pays, cancels, or gets a refund.
func (b *Business) Step() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var what string
	switch n := b.random.IntN(10); {
	case n < 2 && len(b.active) > 1:
		s := b.active[b.random.IntN(len(b.active))]
		b.churn(s)
		what = fmt.Sprintf("%s cancels %s: $%d a month less", s.name, s.plan, s.monthly()/100)
	case n < 4 && len(b.charges) > 1:
		c := b.charges[len(b.charges)-1-b.random.IntN(min(len(b.charges), 50))]
		b.refund(c)
		what = fmt.Sprintf("a payment of $%d is refunded", c.amount/100)
	default:
		s := b.signUp(0)
		what = fmt.Sprintf("%s subscribes to %s: $%d a month more", s.name, s.plan, s.monthly()/100)
	}
	return what, b.err
}

// Live makes a Step at each interval until ctx is done, and passes its description to tell.
func (b *Business) Live(ctx context.Context, interval time.Duration, tell func(string)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			what, err := b.Step()
			if err != nil {
				return err
			}
			tell(what)
		}
	}
}
