package stripetest

import "time"

// Now returns the time on Stripe's clock: Options.Now plus the offset set by SetSkew. The Date header of every response shows
// it, in whole seconds.
func (s *Stripe) Now() time.Time { return s.options.Now().Add(time.Duration(s.skew.Load())) }

// SetSkew sets Stripe's clock ahead of Options.Now by d, or behind if d is negative. Options.Now stands for the clients'
// clocks. The change is immediate.
func (s *Stripe) SetSkew(d time.Duration) { s.skew.Store(int64(d)) }

func (s *Stripe) now() int64 { return s.Now().Unix() }
