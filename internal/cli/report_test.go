package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const complete = connectorv1.StreamStatus_STREAM_STATUS_COMPLETE

func TestReportNotes(t *testing.T) {
	report := &client.Report{Streams: []client.StreamReport{
		{Stream: "charges", Status: complete, Upserts: 1, Withheld: 1234},
		{Stream: "invoices", Status: complete, Upserts: 1, SetAsideTotal: 2, SetAside: []*connectorv1.SetAside{
			{Key: "lines of in_1", Failure: &connectorv1.Failure{Message: "Stripe answers 500 for it."}}}},
		{Stream: "refunds", Status: complete, Upserts: 1, RefusedTotal: 1, Refused: []client.Refusal{{Key: "re_1", Reason: "the trigger refuses it"}}},
		{Stream: "payouts", Status: complete, Upserts: 1, Reconciliation: &connectorv1.Reconciliation{Listed: 40, Missing: 1, Stale: 2}},
		{Stream: "disputes", Status: complete, Reconciliation: &connectorv1.Reconciliation{Listed: 40}},
	}}
	got := reportTable(report)
	for _, want := range []string{
		"\ncharges: 1,234 deletions were withheld because the destination can't apply them.\n  Those rows stay.\n",
		"\ninvoices: 2 objects could not be read and will be retried by later syncs.\n  lines of in_1: Stripe answers 500 for it.\n",
		"\nrefunds: 1 record could not be stored, and is set aside: re_1 (the trigger\n  refuses it)\n",
		"\npayouts: compared 40 records with Stripe and repaired 1 missing, 2 stale and 0\n  extra.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant it with %q", got, want)
		}
	}
	if strings.Contains(got, "disputes: ") {
		t.Errorf("there is nothing to say about disputes:\n%s", got)
	}
}

// TestReportIsShort reports on many streams. Streams without changes must not be listed, and each reason must appear
// once.
func TestReportIsShort(t *testing.T) {
	denied := &connectorv1.Failure{Message: "The account has no Issuing."}
	report := &client.Report{}
	for i := range 60 {
		s := client.StreamReport{Stream: fmt.Sprintf("stream_%d", i), Status: complete}
		switch {
		case i < 2:
			s.Upserts = 5
		case i < 10:
			s.Status, s.Failure = connectorv1.StreamStatus_STREAM_STATUS_SKIPPED, denied
		case i == 10:
			s.Status, s.Failure = connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE, &connectorv1.Failure{Message: "It broke."}
		}
		report.Streams = append(report.Streams, s)
	}
	got := reportTable(report)
	for _, want := range []string{"\nstream_1  ", "\nstream_10  incomplete ", "\n49 streams were complete without changes.\n", "\n8 streams were skipped:\n",
		"\nstream_2, stream_3, stream_4, stream_5 and 4 more: The account has no Issuing.\n", "\nstream_10: It broke.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant it with %q", got, want)
		}
	}
	if lines := strings.Count(got, "\n"); lines > 15 {
		t.Errorf("it has %d lines:\n%s", lines, got)
	}
}

func TestSyncAsJSON(t *testing.T) {
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = "half"
	w.runs(t, exitOK, "sync", "--to", "jsonl:"+t.TempDir(), "--format", "json", "--quiet")
	says(t, w.out, `"stream": "apples",
      "status": "complete",
      "upserts": 3,`)
	says(t, w.out, `"error": "The key may not read pears.",`)
	if w.err.String() != "" {
		t.Errorf("--quiet prints %q", w.err)
	}
}

func TestVersionFlag(t *testing.T) {
	for _, args := range [][]string{{"--version"}, {"version"}} {
		w := newWorld(t, fakeSource{})
		w.runs(t, exitOK, args...)
		says(t, w.out, "stripe-connector "+buildVersion()+" (")
	}
}

func TestStreamsAreCompleted(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"sync", "--select", "charges,refu"}, "charges,refunds\n"},
		{[]string{"sync", "--fields", "disp"}, "disputes=\n"},
		{[]string{"read", "--streams", "payo"}, "payouts\n"},
		{[]string{"reread", "tran"}, "transfers\n"},
	} {
		w := newWorld(t, fakeSource{})
		w.runs(t, exitOK, append([]string{"__complete"}, test.args...)...)
		says(t, w.out, test.want)
	}
}

func TestCheckDestination(t *testing.T) {
	folder := t.TempDir()
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "check", "--to", "sqlite:"+folder+"/new.db")
	says(t, w.out, "note ")
	says(t, w.out, "it doesn't exist yet")
	foreign := write(t, "text.db", strings.Repeat("not a database ", 100))
	w.runs(t, exitFailure, "check", "--to", "sqlite:"+foreign)
	says(t, w.out, "problem ")
	says(t, w.out, "is not a SQLite database")
	w.runs(t, exitFailure, "check", "--to", "mysql:x")
	says(t, w.err, `unknown kind of destination "mysql": use a name such as sqlite:stripe.db`)
	unknown := newWorld(t, fakeSource{})
	unknown.runs(t, exitOK, "check", "--to", "jsonl:"+folder+"/lines")
	says(t, unknown.out, "note     streams: unknown, so their tables were not checked")
}
