package selected

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
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
	if got := d.Report("charges", "X"); got != "" {
		t.Errorf("reported again: %q", got)
	}
	summary := &connector.Drift{
		Examined: 211, New: []connector.NewField{{Path: "billing_details.planet", Records: 20}, {Path: "late", Records: 10}, {Path: "tomorrow", Records: 20}},
		Absent: []string{"currency"},
	}
	if diff := cmp.Diff(summary, d.Summary()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	note(thenEvery, `,"later":[],"currency":""`)
	want = "charges differs from its schema of API version X in the 212 records examined. " +
		"New fields, which the schema doesn't describe: billing_details.planet (20), late (10), later (1), tomorrow (20)."
	if got := d.Report("charges", "X"); got != want {
		t.Errorf("with another field: got  %q\nwant %q", got, want)
	}
	var none *Drift
	none.Note("{}")
	if got := none.Report("charges", "X"); got != "" || none.Summary() != nil {
		t.Errorf("no Drift: %q", got)
	}
}

// TestDriftIsBounded notes records with ever other fields, and with long names.
func TestDriftIsBounded(t *testing.T) {
	streams := table.Streams(schema.Newest())
	d := NewDrift(streams.Fields(streams.Find("charges")))
	for i := range firstExamined {
		d.Note(fmt.Sprintf(`{"id":"ch_1","new_%d_%s":1}`, i, strings.Repeat("ö", 1000)))
	}
	found := d.Summary()
	if len(found.New) != connector.MaxDrift || len(d.unknown) != connector.MaxDrift || len(found.Absent) == 0 || len(found.Absent) > connector.MaxDrift {
		t.Errorf("got %d new fields of %d, and %d absent ones, want at most %d", len(found.New), len(d.unknown), len(found.Absent), connector.MaxDrift)
	}
	for _, f := range found.New {
		if len(f.Path) > maxPath+len("…") || !utf8.ValidString(f.Path) || !strings.HasSuffix(f.Path, "ö…") {
			t.Errorf("the path is %q", f.Path)
		}
	}
}
