// Package takeover holds the Stripe-specific part of replacing another connector: the names, columns and states of the connectors
// that users switch from. The packages below edge implement the protocols themselves.
package takeover
