package hint_test

import (
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
)

// TestQuoteHidesKeys puts keys where other input belongs.
func TestQuoteHidesKeys(t *testing.T) {
	for _, text := range []string{
		"sk_live_Planted5ecret", "rk_test_Planted5ecret", "pk_test_Planted5ecret", "whsec_Planted5ecret", "SK_LIVE_Planted5ecret",
		"charges sk_live_Planted5ecret", "sk_live_" + strings.Repeat("x", 100) + "Planted5ecret", "rk_Planted5ecret",
	} {
		if quoted := hint.Quote(text); strings.Contains(quoted, "5ecret") || !strings.Contains(quoted, "[key]") {
			t.Errorf("Quote(%q) = %s", text, quoted)
		}
	}
	for _, text := range []string{"charges", "balance_transactions", "2024-01-31", "test_clocks", "issuing_cards"} {
		if quoted := hint.Quote(text); quoted != `"`+text+`"` {
			t.Errorf("Quote(%q) = %s", text, quoted)
		}
	}
}

func TestList(t *testing.T) {
	if got := hint.List(strings.Split("a b c d e f g h i j k l m n", " ")); got != "a, b, c, d, e, f, g, h, i, j, k, l, and 2 more" {
		t.Errorf("got %q", got)
	}
	if got := hint.List([]string{"a", "b"}); got != "a, b" {
		t.Errorf("got %q", got)
	}
}
