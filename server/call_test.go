package server

import (
	"context"
	"log/slog"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestCallsAreAttributed checks that each log line of a call identifies the call and its caller, and that the client
// receives the call id.
func TestCallsAreAttributed(t *testing.T) {
	tokens, _, _ := tokensIn(t, firstToken+" caller=billing\n"+secondToken+"\n")
	source := identified{&fakeSource{}}
	for token, want := range map[string]string{firstToken: "billing", secondToken: "line 2"} {
		f := start(t, source, Options{Tokens: tokens})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		var trailer metadata.MD
		request := &connectorv1.CheckRequest{Config: object(t, `{"account": "acct_of_the_caller"}`)}
		if _, err := f.Check(ctx, request, grpc.Trailer(&trailer)); err != nil {
			t.Fatal(err)
		}
		_ = f.conn.Close()
		if err := f.server.Shutdown(context.Background()); err != nil { // the last line is logged after the response
			t.Fatal(err)
		}
		lines := f.logs.all(t)
		if len(lines) != 2 {
			t.Fatalf("%d lines, want the call's beginning and end: %s", len(lines), f.logs)
		}
		for _, line := range lines {
			if line["caller"] != want || line["peer.address"] != "bufconn" || line["call_id"] == "" {
				t.Errorf("a line does not say whose call it is: %v", line)
			}
			if ids := trailer.Get(callIDTrailer); len(ids) != 1 || ids[0] != line["call_id"] {
				t.Errorf("the caller learned of ids %v", ids)
			}
		}
		if got := lines[1]["account_key"]; got != "acct_of_the_" {
			t.Errorf("account_key %v", got)
		}
	}
}

// TestRefusedCallsAreLoggedSparsely checks that an unauthenticated client can't fill the disk with log lines.
func TestRefusedCallsAreLoggedSparsely(t *testing.T) {
	tokens, _, _ := tokensIn(t, firstToken)
	observer := &recordingObserver{}
	f := start(t, &fakeSource{}, Options{Tokens: tokens, Observer: observer})
	const calls = 50
	for range calls {
		_, _ = f.Spec(t.Context(), &connectorv1.SpecRequest{})
		_, _ = f.readAll(t, charges())
	}
	if lines := f.logs.lines(t, "refused a call"); len(lines) != sparseFirst {
		t.Errorf("%d lines, want %d", len(lines), sparseFirst)
	}
	if lines := f.logs.all(t); len(lines) != sparseFirst {
		t.Errorf("other lines for calls that were refused: %s", f.logs)
	}
	if len(observer.lines) != 2*calls {
		t.Errorf("%d of %d refusals were counted", len(observer.lines), 2*calls)
	}
}

func TestSparseCountsWhatItOmits(t *testing.T) {
	logs := &logs{}
	s := newSparse(slog.New(slog.NewJSONHandler(logs, nil)))
	for range sparseFirst + 3 {
		s.log(t.Context(), "again")
	}
	s.last = s.last.Add(-sparseEvery)
	s.log(t.Context(), "again")
	lines := logs.lines(t, "again")
	if len(lines) != sparseFirst+1 || lines[sparseFirst]["omitted"] != 3.0 {
		t.Errorf("got %v", lines)
	}
}
