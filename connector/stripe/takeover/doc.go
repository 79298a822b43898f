// Package takeover holds what is Stripe's in replacing another connector: the names, columns and states of those that users
// switch from. The protocols themselves are spoken by the packages below edge.
package takeover
