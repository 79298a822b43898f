package selected

import (
	"fmt"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

func TestDrift(t *testing.T) {
	streams := table.Streams(schema.Newest())
	fields := streams.Fields(streams.Find("charges"))
	d := NewDrift(fields)
	all := `{"id":"ch_1"`
	for _, name := range fields.Always() {
		if name != "id" && name != "currency" && name != "amount" {
			all += fmt.Sprintf(",%q:null", name)
		}
	}
	note := func(n int, members string) {
		for range n {
			d.Note(all + members + "}")
		}
	}
	note(leastExamined-1, `,"amount":5`)
	if got := d.Report("charges", "X"); got != "" {
		t.Errorf("too few records: %q", got)
	}
	note(20, `,"amount":5,"tomorrow":{"id":1},"billing_details":{"email":"x","planet":"y"},"metadata":{"anything":"x"}`)
	note(firstExamined, `,"amount":5`)
	note(thenEvery*10, `,"amount":5,"late":true`)
	want := "charges differs from its schema of API version X in the 211 records examined. " +
		"New fields, which the schema doesn't describe: billing_details.planet (20), late (10), tomorrow (20). Fields of the schema that no record has: currency."
	if got := d.Report("charges", "X"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var none *Drift
	none.Note("{}")
	if got := none.Report("charges", "X"); got != "" {
		t.Errorf("no Drift: %q", got)
	}
}
