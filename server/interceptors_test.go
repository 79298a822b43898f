package server

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestPanicBecomesInternal(t *testing.T) {
	var none []int
	f := start(t, &fakeSource{
		check: func(context.Context, connector.CheckRequest) (connector.CheckResult, error) {
			_ = none[len(none)]
			return connector.CheckResult{}, nil
		},
		read: func(context.Context, connector.ReadRequest, connector.Sink) (connector.Summary, error) {
			panic("charge of Jenny Rosen")
		},
	}, Options{})
	_, checkErr := f.Check(t.Context(), &connectorv1.CheckRequest{})
	_, readErr := f.readAll(t, charges())
	for rpc, err := range map[string]error{"Check": checkErr, "Read": readErr} {
		text := prototext.Format(status.Convert(err).Proto())
		if status.Code(err) != codes.Internal || detailsOf(t, err).info.GetReason() != "SYSTEM" {
			t.Errorf("%s: %v", rpc, err)
		}
		for _, leak := range []string{"_test.go", "goroutine", "index out of range", "Jenny"} {
			if strings.Contains(text, leak) {
				t.Errorf("%s tells the client of %q: %s", rpc, leak, text)
			}
		}
	}
	log := f.logs.String()
	if got := strings.Count(log, "interceptors_test.go"); got != 2 {
		t.Errorf("%d stacks in the log, want 2:\n%s", got, log)
	}
	if !strings.Contains(log, "index out of range") || strings.Contains(log, "Jenny") {
		t.Errorf("the log should tell the runtime's errors, and no other value:\n%s", log)
	}
	if _, err := f.Spec(t.Context(), &connectorv1.SpecRequest{}); err != nil {
		t.Errorf("after the panics: %v", err)
	}
}

func TestLogsShowCallsButNotPayloads(t *testing.T) {
	f := start(t, reads(connector.Summary{}, sized(100, 100)), Options{})
	req := charges()
	req.Config = object(t, `{"start_date": "2024-05-06"}`)
	if _, err := f.readAll(t, req); err != nil {
		t.Fatal(err)
	}
	if _, err := f.readAll(t, &connectorv1.ReadRequest{}); err == nil {
		t.Fatal("an empty request passed")
	}
	_ = f.conn.Close()
	if err := f.server.Shutdown(context.Background()); err != nil { // the last line is logged after the response
		t.Fatal(err)
	}
	log := f.logs.String()
	for text, want := range map[string]int{
		"started call": 2, "finished call": 2, `"grpc.code":"OK"`: 1, `"grpc.code":"InvalidArgument"`: 1, "2024-05-06": 0, "ch_0": 0,
	} {
		if got := strings.Count(log, text); got != want {
			t.Errorf("%q stands %d times in the log, want %d:\n%s", text, got, want, log)
		}
	}
}
