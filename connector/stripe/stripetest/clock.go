package stripetest

import "time"

// Now returns the time on Stripe's clock: that of Options.Now, plus what SetSkew says. The header Date of every answer shows
// it, in whole seconds.
func (s *Stripe) Now() time.Time { return s.options.Now().Add(time.Duration(s.skew.Load())) }

// SetSkew sets Stripe's clock fast (or, negative, slow) by d against Options.Now, which stands for the clocks of clients. The
// clock jumps at once.
func (s *Stripe) SetSkew(d time.Duration) { s.skew.Store(int64(d)) }

func (s *Stripe) now() int64 { return s.Now().Unix() }
