package config

import (
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/internal/refusal"
)

// FuzzConfig checks that a configuration is either rejected, naming the invalid fields, or parsed to permitted values.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"api_key":"rk_test_1"}`, `{"api_key":"sk_live_1","account":"acct_1","start_date":"2024-01-31"}`,
		`{"api_key":"rk_test_1","lookback_days":600,"max_requests_per_second":0.5}`, `{"api_key":1,"lookback_days":-1,"x":{}}`,
		`{"api_key":"rk_test_1","start_date":"0001-01-01T00:00:00+23:59","api_base":"http://127.0.0.1:9999"}`,
		`{"api_key":"rk_test_1","start_date":"0000-01-01","lookback_days":600}`,
		`{"api_key":"rk_test_1","api_base":"https://user@evil.example/?x"}`, `{"api_key":"rk_test_1","lookback_days":1e308}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parse(string(raw))
		if refusal.Is(t, err, "config") {
			return
		}
		if !keyPattern.MatchString(c.APIKey.Reveal()) || c.Start.After(testNow) || c.Start.Unix() < 0 || c.Start.Nanosecond() != 0 || c.MaxRate < 0 || c.MaxRate > maxRate {
			t.Fatalf("%q was parsed as %+v", raw, c)
		}
		if base := strings.TrimRight(c.APIBase, "/"); base != "" && base != "https://api.stripe.com" && base != "http://127.0.0.1:9999" {
			t.Fatalf("%q would send the key to %q", raw, c.APIBase)
		}
	})
}
