package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// reads returns a source that sends the given messages and returns the given summary.
func reads(summary connector.Summary, messages ...connector.Message) *fakeSource {
	return &fakeSource{read: func(
		ctx context.Context, _ connector.ReadRequest, sink connector.Sink,
	) (connector.Summary, error) {
		for _, m := range messages {
			if err := sink.Send(ctx, m); err != nil {
				return connector.Summary{}, err
			}
		}
		return summary, nil
	}}
}

func TestReadSendsEveryMessageInOrder(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	state := json.RawMessage(`{"v": 1, "windows": []}`)
	failure := &connector.Failure{Class: connector.PermissionError, Message: "Extend the key."}
	source := reads(
		connector.Summary{
			Streams: []connector.StreamSummary{
				{
					Stream: "charges", Account: "acct_1", Status: connector.Complete,
					Upserts: 1, Deletes: 2, DeletesMatching: 5, Withheld: 6, Bytes: 3, Generation: 4,
					SetAside: []connector.SetAside{{Key: "ch_1", Failure: failure, Since: at, Attempts: 7}}, SetAsideTotal: 8,
					State: state, Watermark: at, Reconciliation: &connector.Reconciliation{Listed: 1, Missing: 2, Stale: 3, Extra: 4},
					Drift: &connector.Drift{Examined: 9, New: []connector.NewField{{Path: "a.b", Records: 1}}, Absent: []string{"c"}},
				},
				{Stream: "refunds", Status: connector.Skipped, Failure: failure},
			},
			Requests: 5, Retries: 6, Waited: time.Second, Duration: time.Minute, HasMore: true,
		},
		&connector.StreamStatus{Stream: "charges", Account: "acct_1", Status: connector.Started, Generation: 4},
		&connector.RecordBatch{Stream: "charges", Records: []connector.Record{{Data: `{}`, Operation: connector.Upsert}}},
		&connector.StateCheckpoint{
			StreamState: connector.StreamState{Stream: "charges", Account: "acct_1", State: state}, Records: 1,
		},
		&connector.Progress{
			Records: 1, Requests: 2, Retries: 3, Fraction: 0.5, WaitingUntil: at, RecordsPerSecond: 1.5, TimeLeft: time.Hour,
			Streams: []connector.StreamProgress{{Stream: "charges", Account: "acct_1", Records: 1, Fraction: 0.25}},
		},
		&connector.LogEntry{Level: connector.Warning, Message: "Slow.", Stream: "charges", Account: "acct_1"},
		&connector.StreamStatus{Stream: "refunds", Status: connector.Skipped, Failure: failure},
		&connector.RecordBatch{Stream: "charges"},
	)
	got, err := start(t, source, Options{}).readAll(t, charges())
	if err != nil {
		t.Fatal(err)
	}
	want := everyResponse(t, at)
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// everyResponse returns the responses that TestReadSendsEveryMessageInOrder expects.
func everyResponse(t *testing.T, at time.Time) []*connectorv1.ReadResponse {
	state := object(t, `{"v": 1, "windows": []}`)
	failure := &connectorv1.Failure{
		Class: connectorv1.FailureClass_FAILURE_CLASS_PERMISSION, Message: "Extend the key.",
		RefusedBy: connectorv1.RefusedBy_REFUSED_BY_SOURCE,
	}
	return []*connectorv1.ReadResponse{
		{Message: &connectorv1.ReadResponse_StreamStatus{StreamStatus: &connectorv1.StreamStatusChange{
			Stream: "charges", Account: "acct_1", Status: connectorv1.StreamStatus_STREAM_STATUS_STARTED, Generation: 4,
		}}},
		{Message: &connectorv1.ReadResponse_Records{Records: &connectorv1.RecordBatch{
			Stream:  "charges",
			Records: []*connectorv1.Record{{Data: "{}", Operation: connectorv1.Operation_OPERATION_UPSERT}},
		}}},
		{Message: &connectorv1.ReadResponse_Checkpoint{Checkpoint: &connectorv1.StateCheckpoint{
			State: &connectorv1.StreamState{Stream: "charges", Account: "acct_1", Content: state}, Records: 1,
		}}},
		{Message: &connectorv1.ReadResponse_Progress{Progress: &connectorv1.Progress{
			Records: 1, Requests: 2, Retries: 3, Fraction: 0.5, WaitingUntil: timestamppb.New(at), RecordsPerSecond: 1.5,
			TimeLeft: durationpb.New(time.Hour),
			Streams:  []*connectorv1.StreamProgress{{Stream: "charges", Account: "acct_1", Records: 1, Fraction: 0.25}},
		}}},
		{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{
			Level: connectorv1.LogLevel_LOG_LEVEL_WARNING, Message: "Slow.", Stream: "charges", Account: "acct_1",
		}}},
		{Message: &connectorv1.ReadResponse_StreamStatus{StreamStatus: &connectorv1.StreamStatusChange{
			Stream: "refunds", Status: connectorv1.StreamStatus_STREAM_STATUS_SKIPPED, Failure: failure,
		}}},
		{Message: &connectorv1.ReadResponse_Summary{Summary: &connectorv1.Summary{
			Streams: []*connectorv1.StreamSummary{
				{
					Stream: "charges", Account: "acct_1", Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE,
					Upserts: 1, Deletes: 2, DeletesMatching: 5, Withheld: 6, Bytes: 3, Generation: 4, Watermark: timestamppb.New(at),
					State:    &connectorv1.StreamState{Stream: "charges", Account: "acct_1", Content: state},
					SetAside: []*connectorv1.SetAside{{Key: "ch_1", Failure: failure, Since: timestamppb.New(at), Attempts: 7}}, SetAsideTotal: 8,
					Reconciliation: &connectorv1.Reconciliation{Listed: 1, Missing: 2, Stale: 3, Extra: 4},
					Drift:          &connectorv1.Drift{Examined: 9, NewFields: []*connectorv1.NewField{{Path: "a.b", Records: 1}}, AbsentFields: []string{"c"}},
				},
				{Stream: "refunds", Status: connectorv1.StreamStatus_STREAM_STATUS_SKIPPED, Failure: failure},
			},
			Requests: 5, Retries: 6, Waited: durationpb.New(time.Second), Duration: durationpb.New(time.Minute), HasMore: true,
		}}},
	}
}

// TestReadKeepsTheOrderOfRecords sends batches that need several messages each.
func TestReadKeepsTheOrderOfRecords(t *testing.T) {
	batch := sized(repeat(2000, 100)...)
	responses, err := start(t, reads(connector.Summary{}, batch, batch), Options{}).readAll(t, charges())
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, response := range responses {
		for _, record := range response.GetRecords().GetRecords() {
			got = append(got, record.GetData())
		}
	}
	for _, record := range append(batch.Records, batch.Records...) {
		want = append(want, record.Data)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d records, not the %d sent in their order", len(got), len(want))
	}
	if responses[len(responses)-1].GetSummary() == nil {
		t.Error("the summary is not the last message")
	}
}

func TestReadOutcome(t *testing.T) {
	stream := func(name string, status connector.Status, class connector.Class) connector.StreamSummary {
		s := connector.StreamSummary{Stream: name, Status: status}
		if class != 0 {
			s.Failure = &connector.Failure{Class: class, Message: "Because."}
		}
		return s
	}
	tests := map[string]struct {
		streams []connector.StreamSummary
		code    codes.Code
		failed  string // the stream that the error names
	}{
		"nothing":  {nil, codes.OK, ""},
		"complete": {[]connector.StreamSummary{stream("a", connector.Complete, 0)}, codes.OK, ""},
		"skipped": {[]connector.StreamSummary{
			stream("a", connector.Skipped, connector.PermissionError), stream("b", connector.Complete, 0),
		}, codes.OK, ""},
		"all skipped": {[]connector.StreamSummary{
			stream("a", connector.Skipped, connector.PermissionError), stream("b", connector.Skipped, connector.PermissionError),
		}, codes.PermissionDenied, "a"},
		"limit":      {[]connector.StreamSummary{stream("a", connector.Incomplete, 0)}, codes.OK, ""},
		"no verdict": {[]connector.StreamSummary{stream("a", connector.Running, 0)}, codes.Internal, ""},
		"first failure counts": {[]connector.StreamSummary{
			stream("a", connector.Complete, 0), stream("b", connector.Skipped, connector.AuthError),
			stream("c", connector.Incomplete, connector.Transient), stream("d", connector.Incomplete, connector.System),
		}, codes.Unavailable, "c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			responses, err := start(t, reads(connector.Summary{Streams: test.streams}), Options{}).readAll(t, charges())
			if status.Code(err) != test.code {
				t.Errorf("%v, want %s", err, test.code)
			}
			if got := detailsOf(t, err).info.GetMetadata()["stream"]; got != test.failed {
				t.Errorf("the error names stream %q, want %q", got, test.failed)
			}
			if len(responses) != 1 || len(responses[0].GetSummary().GetStreams()) != len(test.streams) {
				t.Errorf("responses %v, want one summary", responses)
			}
		})
	}
}

func TestReadErrorComesWithoutSummary(t *testing.T) {
	source := &fakeSource{read: func(
		ctx context.Context, _ connector.ReadRequest, sink connector.Sink,
	) (connector.Summary, error) {
		if err := sink.Send(ctx, sized(100)); err != nil {
			return connector.Summary{}, err
		}
		return connector.Summary{HasMore: true}, fmt.Errorf("read: %w", &connector.Failure{Class: connector.AuthError, Message: "No."})
	}}
	responses, err := start(t, source, Options{}).readAll(t, charges())
	if status.Code(err) != codes.Unauthenticated || status.Convert(err).Message() != "No." {
		t.Errorf("error %v", err)
	}
	if len(responses) != 1 || responses[0].GetRecords() == nil {
		t.Errorf("responses %v, want the records only", responses)
	}
}

func TestReadCarriesLargeObjects(t *testing.T) {
	var refused error
	source := &fakeSource{read: func(
		ctx context.Context, _ connector.ReadRequest, sink connector.Sink,
	) (connector.Summary, error) {
		if err := sink.Send(ctx, sized(100, defaultMaxMessageBytes-100, 100)); err != nil {
			return connector.Summary{}, err
		}
		refused = sink.Send(ctx, sized(100, defaultMaxMessageBytes))
		return connector.Summary{Streams: []connector.StreamSummary{
			{Stream: "charges", Status: connector.Incomplete, Failure: connector.AsFailure(refused)},
		}}, sink.Send(ctx, &connector.LogEntry{Message: "The others go on."})
	}}
	responses, err := start(t, source, Options{}).readAll(t, charges()) // a client with default limits
	if status.Code(err) != codes.DataLoss || !strings.Contains(err.Error(), "ch_1 of stream charges") {
		t.Errorf("error %v", err)
	}
	if f := connector.AsFailure(refused); f.Class != connector.SourceData {
		t.Errorf("the source got %v", refused)
	}
	var counts []int
	for _, response := range responses {
		counts = append(counts, len(response.GetRecords().GetRecords()))
	}
	if diff := cmp.Diff([]int{1, 1, 1, 0, 0}, counts); diff != "" {
		t.Errorf("records by message (-want +got):\n%s", diff)
	}
}

func TestReadRefusesBrokenStates(t *testing.T) {
	broken := connector.StreamState{Stream: "charges", State: json.RawMessage(`{"sk_live_`)}
	for name, source := range map[string]*fakeSource{
		"checkpoint": reads(connector.Summary{}, &connector.StateCheckpoint{StreamState: broken}),
		"summary":    reads(connector.Summary{Streams: []connector.StreamSummary{{Stream: "charges", State: broken.State}}}),
	} {
		t.Run(name, func(t *testing.T) {
			responses, err := start(t, source, Options{}).readAll(t, charges())
			if status.Code(err) != codes.Internal || len(responses) != 0 {
				t.Errorf("%d messages, error %v", len(responses), err)
			}
		})
	}
}

func TestClientGoneStopsTheSource(t *testing.T) {
	for name, leave := range map[string]func(cancel func(), f *fixture){
		"cancelled":         func(cancel func(), _ *fixture) { cancel() },
		"connection closed": func(_ func(), f *fixture) { _ = f.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			source := &fakeSource{read: func(
				ctx context.Context, _ connector.ReadRequest, sink connector.Sink,
			) (connector.Summary, error) {
				batch := sized(repeat(2000, 30)...)
				for {
					if err := sink.Send(ctx, batch); err != nil {
						<-ctx.Done()
						ended <- err
						return connector.Summary{}, err
					}
				}
			}}
			f := start(t, source, Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := f.Read(ctx, charges())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			leave(cancel, f)
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the source got %v, want context.Canceled", err)
			}
		})
	}
}

func TestDeadlineOfTheCaller(t *testing.T) {
	ended := make(chan error, 1)
	source := &fakeSource{read: func(
		ctx context.Context, _ connector.ReadRequest, _ connector.Sink,
	) (connector.Summary, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return connector.Summary{}, ctx.Err()
	}}
	f := start(t, source, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stream, err := f.Read(ctx, charges())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the source's context is not done")
	}
}
