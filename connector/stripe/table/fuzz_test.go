package table

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// FuzzFieldPath checks that every path is either rejected with a message or selects nothing but itself.
func FuzzFieldPath(f *testing.F) {
	for _, seed := range []string{"id", "billing_details.email", "metadata.x", "payment_intent.id", "refunds.data.amount", "", ".", "a.b.c", "é", "\xff"} {
		f.Add(seed)
	}
	streams := Streams(schema.Newest())
	fields := streams.Fields(streams.Find("charges"))
	f.Fuzz(func(t *testing.T, path string) {
		column, problem := fields.Column(path)
		if problem != "" {
			if !utf8.ValidString(problem) && utf8.ValidString(path) {
				t.Fatalf("%q: %q", path, problem)
			}
			return
		}
		path = column.Path
		value := `{"leaf":1}`
		names := strings.Split(path, ".")
		for i := len(names) - 1; i >= 0; i-- {
			value = `{` + rawjson.Quote(names[i]) + `:` + value + `}`
		}
		if !utf8.ValidString(path) {
			return // no JSON object has a member with such a name
		}
		with := rawjson.WithMember(value, "other "+names[0], "2")
		if got := string(rawjson.Select(path).Append(nil, with)); got != value {
			t.Fatalf("%q of %s is %s", path, with, got)
		}
	})
}
