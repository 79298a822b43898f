package destination_test

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/all"
)

func TestResolve(t *testing.T) {
	for name, want := range map[string]string{
		"sqlite:stripe.db":     "sqlite:/etc/p/stripe.db",
		"sqlite:../s.db?x=y":   "sqlite:/etc/s.db?x=y",
		"jsonl:lines":          "jsonl:/etc/p/lines",
		"sqlite:/var/s.db":     "sqlite:/var/s.db",
		"sqlite:":              "sqlite:",
		"postgres://u@host/db": "postgres://u@host/db",
		"stripe.db":            "stripe.db",
	} {
		if got := all.Kinds().Resolve("/etc/p", name); got != want {
			t.Errorf("In(%q) = %q, want %q", name, got, want)
		}
	}
}
