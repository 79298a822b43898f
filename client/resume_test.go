package client_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// committing returns handlers that apply the waiting records when a state arrives, like a transaction.
func committing(rows map[string]map[string]string) client.Handlers {
	waiting := map[string][]*connectorv1.Record{}
	return client.Handlers{
		Records: func(_ context.Context, b *connectorv1.RecordBatch) error {
			waiting[b.GetStream()] = append(waiting[b.GetStream()], b.GetRecords()...)
			return nil
		},
		State: func(_ context.Context, s *connectorv1.StreamState) error {
			if rows[s.GetStream()] == nil {
				rows[s.GetStream()] = map[string]string{}
			}
			applyRecords(rows[s.GetStream()], waiting[s.GetStream()])
			delete(waiting, s.GetStream())
			return nil
		},
	}
}

func request(streams ...string) *connectorv1.ReadRequest {
	req := &connectorv1.ReadRequest{}
	for _, s := range streams {
		req.Streams = append(req.Streams, &connectorv1.ConfiguredStream{Stream: s})
	}
	return req
}

func TestReadResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{streams: []string{"a", "b"}, records: 100, page: 10,
			before: func(read int, stream string, next int) error {
				if read < 5 && (stream == "b" || next >= read*20) {
					return status.Error(codes.Unavailable, "draining")
				}
				return nil
			}}
		rows := map[string]map[string]string{}
		req := request("a", "b")
		summary, err := connect(t, f).Read(t.Context(), req, committing(rows))
		if err != nil || summary == nil {
			t.Fatalf("got %v, %v", summary, err)
		}
		for _, stream := range f.streams {
			if !maps.Equal(truth(100), rows[stream]) {
				t.Errorf("rows of %s are not those of its 100 records", stream)
			}
		}
		if len(f.reads) != 5 || len(req.GetStates()) != 0 || len(req.GetStreams()) != 2 {
			t.Errorf("made %d Reads, want 5, and left the request %v", len(f.reads), req)
		}
		if got := f.reads[2].GetStates()[0].GetContent().GetFields()["next"].GetNumberValue(); got != 40 {
			t.Errorf("the third Read began from %v, want 40, the last state committed", got)
		}
	})
}

func TestReadGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{streams: []string{"a"}, records: 100, page: 10,
			before: func(_ int, _ string, next int) error {
				if next == 20 {
					return status.Error(codes.Unavailable, "gone")
				}
				return nil
			}}
		_, err := connect(t, f).Read(t.Context(), request("a"), client.Handlers{})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != codes.Unavailable {
			t.Errorf("got %v, want the last failure", err)
		}
		if len(f.reads) != 6 {
			t.Errorf("made %d Reads, want one that committed and five that did not", len(f.reads))
		}
	})
}

func TestReadEndsIfAHandlerFails(t *testing.T) {
	full := errors.New("the disk is full")
	f := &fakeService{streams: []string{"a"}, records: 100, page: 10}
	_, err := connect(t, f).Read(t.Context(), request("a"), client.Handlers{
		State: func(context.Context, *connectorv1.StreamState) error { return full }})
	if !errors.Is(err, full) || len(f.reads) != 1 {
		t.Errorf("got %v after %d Reads, want the handler's error at once", err, len(f.reads))
	}
}

func TestReadReportsAStreamThatFails(t *testing.T) {
	bad := &connectorv1.Failure{Class: connectorv1.FailureClass_FAILURE_CLASS_SOURCE_DATA, Message: "An object is too large."}
	f := &fakeService{streams: []string{"a", "b"}, records: 20, page: 10,
		failures: func(_ int, stream string) *connectorv1.Failure {
			if stream == "a" {
				return bad
			}
			return nil
		}}
	summary, err := connect(t, f).Read(t.Context(), request("a", "b"), client.Handlers{})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Failure.GetMessage() != bad.GetMessage() || summary == nil {
		t.Errorf("got %v, %v, want both the summary and the failure of a", summary, err)
	}
}
