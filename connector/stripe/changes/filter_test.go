package changes

import (
	"net/url"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

func TestFilterOfEvents(t *testing.T) {
	streams := table.Streams(schema.Oldest())
	selection := func(names ...string) (all []*selected.Stream) {
		for _, name := range names {
			all = append(all, &selected.Stream{Row: streams.Find(name)})
		}
		return all
	}
	tests := map[string]struct {
		streams []string
		want    string
	}{
		"one kind":              {[]string{"coupons"}, "type=coupon.*"},
		"and what it contains":  {[]string{"transfers", "transfer_reversals"}, "type=transfer.*"},
		"several kinds":         {[]string{"coupons", "plans"}, ""},
		"types of three words":  {[]string{"disputes"}, ""},
		"named types only":      {[]string{"files"}, "types[]=file.created"},
		"of a parent":           {[]string{"customer_tax_ids"}, ""},
		"the events themselves": {[]string{"coupons", "events"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := url.QueryUnescape(filter(streams, selection(test.streams...)).Encode())
			if err != nil || got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
