package api_test

import (
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

func TestNormalBase(t *testing.T) {
	tests := map[string]string{
		"https://api.stripe.com":        "https://api.stripe.com",
		"https://api.stripe.com///":     "https://api.stripe.com",
		"HTTPS://API.Stripe.COM":        "https://api.stripe.com",
		"https://api.stripe.com:443/":   "https://api.stripe.com",
		"https://api.stripe.com.":       "https://api.stripe.com",
		"https://api.stripe.com.:443//": "https://api.stripe.com",
		"http://127.0.0.1:12111/":       "http://127.0.0.1:12111",
		"http://127.0.0.1:80":           "http://127.0.0.1",
		"https://127.0.0.1:80":          "https://127.0.0.1:80",
		"http://[::1]:80":               "http://[::1]",
		"http://[::1]:12111":            "http://[::1]:12111",
		"https://proxy//stripe/./":      "https://proxy/stripe",
		"ftp://api.stripe.com":          "",
		"https://":                      "",
		"https://.":                     "",
		"https://user@api.stripe.com":   "",
		"https://api.stripe.com?":       "",
		"https://api.stripe.com#x":      "",
		"api.stripe.com":                "",
	}
	for base, want := range tests {
		got, err := api.NormalBase(base)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("NormalBase(%q) = %q, %v, want %q", base, got, err, want)
		}
	}
}
