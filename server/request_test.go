package server

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// everything is the Spec of a source that supports all options of the protocol.
var everything = connector.Spec{
	SyncModes: []connector.SyncMode{connector.FullRefresh, connector.Incremental},
	Capabilities: []connector.Capability{
		connector.FieldSelection, connector.Follow, connector.TimeRangeLimit, connector.RecordLimit,
		connector.SoftDeadline, connector.PriorityOrder, connector.Reconcile, connector.Checkpoints,
	},
}

// everyOption returns a ReadRequest with every field set.
func everyOption(t *testing.T) *connectorv1.ReadRequest {
	return &connectorv1.ReadRequest{
		Config: object(t, `{"lookback_days": 600, "api_key": "k", "nested": {"list": [true, null, 1.5]}}`),
		Streams: []*connectorv1.ConfiguredStream{
			{Stream: "charges", SyncMode: connectorv1.SyncMode_SYNC_MODE_INCREMENTAL, Fields: []string{"id", "a.b"}},
			{Stream: "refunds"},
		},
		States: []*connectorv1.StreamState{
			{Stream: "charges", Content: object(t, `{"v": 1}`)},
			{Stream: "charges", Account: "acct_1", Content: object(t, `{}`)},
		},
		AcceptedOperations: []connectorv1.Operation{
			connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE,
		},
		RecordFormat:   connectorv1.RecordFormat_RECORD_FORMAT_STRUCT,
		Follow:         true,
		FollowInterval: durationpb.New(3 * time.Second),
		TimeRange:      &connectorv1.TimeRange{From: timestamppb.New(time.Unix(100, 0)), To: timestamppb.New(time.Unix(200, 0))},
		RecordLimit:    7,
		SoftDeadline:   durationpb.New(time.Minute),
		Priority:       connectorv1.Priority_PRIORITY_NEWEST_FIRST,
		CheckpointPolicy: &connectorv1.CheckpointPolicy{
			MaxInterval: durationpb.New(4 * time.Second), MaxPages: 9,
		},
		Reconcile: true,
	}
}

func TestReadRequestReachesTheSource(t *testing.T) {
	got := make(chan connector.ReadRequest, 1)
	f := start(t, &fakeSource{spec: everything, read: func(
		_ context.Context, req connector.ReadRequest, _ connector.Sink,
	) (connector.Summary, error) {
		got <- req
		return connector.Summary{}, nil
	}}, Options{})
	if _, err := f.readAll(t, everyOption(t)); err != nil {
		t.Fatal(err)
	}
	want := connector.ReadRequest{
		Config: connector.NewConfig(`{"api_key":"k","lookback_days":600,"nested":{"list":[true,null,1.5]}}`),
		Streams: []connector.ConfiguredStream{
			{Stream: "charges", SyncMode: connector.Incremental, Fields: []string{"id", "a.b"}},
			{Stream: "refunds", SyncMode: connector.FullRefresh},
		},
		States: []connector.StreamState{
			{Stream: "charges", State: []byte(`{"v":1}`)},
			{Stream: "charges", Account: "acct_1", State: []byte(`{}`)},
		},
		Follow: true, FollowInterval: 3 * time.Second,
		From: time.Unix(100, 0).UTC(), To: time.Unix(200, 0).UTC(),
		RecordLimit: 7, SoftDeadline: time.Minute, NewestFirst: true, Reconcile: true,
		CheckpointInterval: 4 * time.Second, CheckpointPages: 9,
		AcceptedOperations: []connector.Operation{connector.Upsert, connector.Delete},
		Drain:              f.server.drain,
	}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestReadRequestViolations(t *testing.T) {
	type request = connectorv1.ReadRequest
	state := func(stream, account string) *connectorv1.StreamState {
		return &connectorv1.StreamState{Stream: stream, Account: account, Content: &structpb.Struct{}}
	}
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1)
	tests := map[string]struct {
		change func(*request)
		want   []string // paths of the violations; none if the request is valid
	}{
		"nothing wrong":         {func(*request) {}, nil},
		"no streams":            {func(r *request) { r.Streams, r.States = nil, nil }, []string{"streams"}},
		"stream without a name": {func(r *request) { r.Streams[1].Stream = "" }, []string{"streams[1].stream"}},
		"stream twice": {func(r *request) {
			r.Streams = append(r.Streams, r.Streams[1], r.Streams[0])
		}, []string{"streams[2].stream", "streams[3].stream"}},
		"unknown sync mode":       {func(r *request) { r.Streams[1].SyncMode = 99 }, []string{"streams[1].sync_mode"}},
		"empty field path":        {func(r *request) { r.Streams[0].Fields[1] = "" }, []string{"streams[0].fields[1]"}},
		"state not selected":      {func(r *request) { r.States[0].Stream = "plans" }, []string{"states[0].stream"}},
		"state twice":             {func(r *request) { r.States[0].Account = "acct_1" }, []string{"states[1].stream"}},
		"state of two accounts":   {func(r *request) { r.States = append(r.States, state("charges", "acct_2")) }, nil},
		"state without content":   {func(r *request) { r.States[1].Content = nil }, []string{"states[1].content"}},
		"state JSON cannot hold":  {func(r *request) { r.States[0].Content = notANumber() }, []string{"states[0].content"}},
		"config JSON cannot hold": {func(r *request) { r.Config = notANumber() }, []string{"config"}},
		"no config":               {func(r *request) { r.Config = nil }, nil},
		"all operations":          {func(r *request) { r.AcceptedOperations = nil }, nil},
		"no operation": {func(r *request) {
			r.AcceptedOperations = append(r.AcceptedOperations, connectorv1.Operation_OPERATION_UNSPECIFIED)
		}, []string{"accepted_operations[2]"}},
		"unknown operation": {func(r *request) { r.AcceptedOperations[1] = 99 }, []string{"accepted_operations[1]"}},
		"no upserts":        {func(r *request) { r.AcceptedOperations = r.AcceptedOperations[1:] }, []string{"accepted_operations"}},
		"unknown field":     {func(r *request) { r.ProtoReflect().SetUnknown(unknown) }, []string{"1000"}},
		"unknown field below": {func(r *request) {
			r.Streams[1].ProtoReflect().SetUnknown(append(unknown, unknown...))
			r.CheckpointPolicy.ProtoReflect().SetUnknown(unknown)
		}, []string{"streams[1].1000", "streams[1].1000", "checkpoint_policy.1000"}},
		"unknown format":          {func(r *request) { r.RecordFormat = 3 }, []string{"record_format"}},
		"interval without follow": {func(r *request) { r.Follow = false }, nil},
		"negative follow interval": {func(r *request) {
			r.FollowInterval = durationpb.New(-1)
		}, []string{"follow_interval"}},
		"broken duration": {func(r *request) {
			r.FollowInterval = &durationpb.Duration{Seconds: 1, Nanos: -1}
		}, []string{"follow_interval"}},
		"empty range": {func(r *request) { r.TimeRange.To = r.TimeRange.From }, []string{"time_range.to"}},
		"backward range": {func(r *request) {
			r.TimeRange.From, r.TimeRange.To = r.TimeRange.To, r.TimeRange.From
		}, []string{"time_range.to"}},
		"half a range":     {func(r *request) { r.TimeRange.To = nil }, nil},
		"broken timestamp": {func(r *request) { r.TimeRange.From.Nanos = -1 }, []string{"time_range.from"}},
		"part of a second": {func(r *request) { r.TimeRange.From.Nanos = 5 }, []string{"time_range.from"}},
		"negative limit":   {func(r *request) { r.RecordLimit = -1 }, []string{"record_limit"}},
		"negative soft deadline": {func(r *request) {
			r.SoftDeadline = durationpb.New(-time.Second)
		}, []string{"soft_deadline"}},
		"no time at all":   {func(r *request) { r.SoftDeadline = durationpb.New(0) }, []string{"soft_deadline"}},
		"unknown priority": {func(r *request) { r.Priority = 2 }, []string{"priority"}},
		"negative policy": {func(r *request) {
			r.CheckpointPolicy.MaxPages, r.CheckpointPolicy.MaxInterval = -1, durationpb.New(-1)
		}, []string{"checkpoint_policy.max_pages", "checkpoint_policy.max_interval"}},
		"all at once": {func(r *request) {
			r.Streams[1].Stream, r.RecordLimit, r.RecordFormat = "charges", -1, 99
		}, []string{"streams[1].stream", "record_format", "record_limit"}},
	}
	f := start(t, &fakeSource{spec: everything}, Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req := everyOption(t)
			test.change(req)
			responses, err := f.readAll(t, req)
			checkViolations(t, err, test.want)
			if err != nil && len(responses) > 0 {
				t.Errorf("%d messages before the error", len(responses))
			}
		})
	}
}

func TestUnsupportedOptions(t *testing.T) {
	f := start(t, &fakeSource{}, Options{})
	_, err := f.readAll(t, everyOption(t))
	checkViolations(t, err, []string{
		"streams[0].fields", "streams[0].sync_mode", "follow", "time_range", "record_limit", "soft_deadline", "priority",
		"checkpoint_policy", "reconcile",
	})
	if text := status.Convert(err).Message(); !strings.Contains(text, "this build does not follow changes: leave it unset") {
		t.Errorf("message %q", text)
	}

	bare := charges()
	bare.TimeRange, bare.CheckpointPolicy = &connectorv1.TimeRange{}, &connectorv1.CheckpointPolicy{}
	if _, err := f.readAll(t, bare); err != nil {
		t.Errorf("a request without options: %v", err)
	}
}

func TestManyViolationsFitIntoATrailer(t *testing.T) {
	f := start(t, &fakeSource{}, Options{})
	req := charges()
	for range 10_000 {
		req.States = append(req.States, &connectorv1.StreamState{Stream: strings.Repeat("x", 100)})
	}
	_, err := f.readAll(t, req)
	if fields := detailsOf(t, err).fields(); len(fields) < 5 || status.Code(err) != codes.InvalidArgument {
		t.Errorf("%d violations, %v", len(fields), err)
	}
	if text := status.Convert(err).Message(); !strings.Contains(text, "states[0].stream") || len(text) > longestText+10 {
		t.Errorf("message of %d bytes: %s", len(text), text)
	}
}

func TestCheckViolations(t *testing.T) {
	f := start(t, &fakeSource{}, Options{})
	_, err := f.Check(t.Context(), &connectorv1.CheckRequest{
		Config: notANumber(), Streams: []string{"charges", "", "charges"},
	})
	checkViolations(t, err, []string{"config", "streams[1]", "streams[2]"})
	_, err = f.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: notANumber()})
	checkViolations(t, err, []string{"config"})
}

// checkViolations checks that err is INVALID_ARGUMENT with violations of the wanted fields, or nil if want is empty.
func checkViolations(t *testing.T, err error, want []string) {
	t.Helper()
	code := codes.InvalidArgument
	if len(want) == 0 {
		code = codes.OK
	}
	if got := status.Code(err); got != code {
		t.Errorf("%v, want %s", err, code)
	}
	d := detailsOf(t, err)
	if diff := cmp.Diff(want, d.fields()); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	for i, v := range d.bad.GetFieldViolations() {
		if own := d.failure.GetViolations()[i]; own.GetField() != v.GetField() || own.GetDescription() != v.GetDescription() {
			t.Errorf("Failure says %v, BadRequest %v", own, v)
		}
	}
}

func notANumber() *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(math.NaN())}}
}
