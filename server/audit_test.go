package server

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestAudit checks that the audit log records who read what, without content or keys.
func TestAudit(t *testing.T) {
	tokens, _, _ := tokensIn(t, firstToken+" caller=billing")
	audit := &logs{}
	source := reads(connector.Summary{Streams: []connector.StreamSummary{{Stream: "charges", Account: "acct_1", Status: connector.Complete}}},
		&connector.RecordBatch{Stream: "charges", Account: "acct_1", Records: []connector.Record{
			{Data: `{"name":"Jenny Rosen"}`, Operation: connector.Upsert}, {Data: `{}`, Operation: connector.Delete},
		}})
	f := start(t, source, Options{Tokens: tokens, Audit: slog.New(slog.NewJSONHandler(audit, nil))})
	ctx := bearing(t, firstToken)
	read := charges()
	read.Config = object(t, `{"api_key": "sk_test_Planted0123456789"}`)
	stream, err := f.Read(ctx, read)
	for err == nil {
		_, err = stream.Recv()
	}
	if _, err := f.Check(ctx, &connectorv1.CheckRequest{Streams: []string{"refunds"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Discover(ctx, &connectorv1.DiscoverRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Check(t.Context(), &connectorv1.CheckRequest{}); err == nil { // an unauthenticated client reads nothing
		t.Fatal("a call without a token passed")
	}
	lines := audit.lines(t, "audit")
	for _, line := range lines {
		delete(line, "began")
	}
	want := []map[string]any{
		{"level": "INFO", "caller": "billing", "method": "Read", "code": "OK", "streams": []any{"charges"}, "accounts": []any{"acct_1"},
			"records": map[string]any{"charges": 2.0}},
		{"level": "INFO", "caller": "billing", "method": "Check", "code": "OK", "streams": []any{"refunds"}},
		{"level": "INFO", "caller": "billing", "method": "Discover", "code": "OK", "streams": nil},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, planted := range []string{"Jenny", "Planted"} {
		if strings.Contains(audit.String(), planted) {
			t.Errorf("the audit log has %q: %s", planted, audit)
		}
	}
}
