package stripe_test

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
)

func BenchmarkDiscover(b *testing.B) {
	source := stripe.New(stripe.Options{})
	for b.Loop() {
		if _, err := source.Discover(b.Context(), connector.DiscoverRequest{Config: connector.NewConfig(`{"api_key":"sk_test_123"}`)}); err != nil {
			b.Fatal(err)
		}
	}
}
