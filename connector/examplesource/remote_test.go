package examplesource_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// remote is a service as a connector.Source, so that the contract's suite can be run against server and client, too. It turns
// the protocol's messages into those of package connector and adds nothing.
type remote struct {
	*client.Client
	spec connector.Spec
}

// newRemote returns the service that c calls.
func newRemote(ctx context.Context, c *client.Client) (*remote, error) {
	spec, err := c.Spec(ctx)
	return &remote{c, connector.Spec{
		Source: spec.GetSource(), ConfigSchema: text(spec.GetConfigSchema()), DocumentationURL: spec.GetDocumentationUrl(),
		SyncModes:    numbers[connector.SyncMode](spec.GetSupportedSyncModes()),
		Capabilities: numbers[connector.Capability](spec.GetCapabilities()),
	}}, err
}

func (r *remote) Spec() connector.Spec { return r.spec }

func (r *remote) Check(ctx context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	config, err := object("config", req.Config.JSON())
	if err != nil {
		return connector.CheckResult{Problems: []*connector.Failure{connector.AsFailure(err)}}, nil
	}
	check, err := r.Client.Check(ctx, &connectorv1.CheckRequest{Config: config, Streams: req.Streams})
	result := connector.CheckResult{Account: check.GetAccount(), AccountAttributes: check.GetAccountAttributes()}
	for _, f := range check.GetProblems() {
		result.Problems = append(result.Problems, failure(f))
	}
	return result, failed(err)
}

func (r *remote) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	config, err := object("config", req.Config.JSON())
	if err != nil {
		return connector.Catalog{}, err
	}
	discovered, err := r.Client.Discover(ctx, &connectorv1.DiscoverRequest{Config: config})
	var catalog connector.Catalog
	for _, s := range discovered.GetStreams() {
		catalog.Streams = append(catalog.Streams, connector.Stream{
			Name: s.GetName(), JSONSchema: text(s.GetJsonSchema()), PrimaryKey: s.GetPrimaryKey(), CursorField: s.GetCursorField(),
			SyncModes: numbers[connector.SyncMode](s.GetSupportedSyncModes()), Freshness: connector.Freshness(s.GetFreshness()),
			EmitsDeletes: s.GetEmitsDeletes(), Parent: s.GetParent(), ParentField: s.GetParentField(),
		})
	}
	return catalog, failed(err)
}

// Read reads once. A stream that failed is the status of the call, and in the summary, which is where a Source says so.
func (r *remote) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	sent, err := request(req)
	if err != nil {
		return connector.Summary{}, err
	}
	var refused error
	summary, err := r.ReadOnce(ctx, sent, func(m *connectorv1.ReadResponse) error {
		if translated := message(m); translated != nil {
			refused = sink.Send(ctx, translated)
		}
		return refused
	})
	if refused != nil || summary == nil {
		return connector.Summary{}, failed(err)
	}
	return report(summary), nil
}

func request(req connector.ReadRequest) (*connectorv1.ReadRequest, error) {
	config, err := object("config", req.Config.JSON())
	if err != nil {
		return nil, err
	}
	sent := &connectorv1.ReadRequest{
		Config: config, RecordLimit: req.RecordLimit,
		AcceptedOperations: numbers[connectorv1.Operation](req.AcceptedOperations),
		CheckpointPolicy:   &connectorv1.CheckpointPolicy{MaxPages: int32(req.CheckpointPages)},
	}
	if req.SoftDeadline > 0 {
		sent.SoftDeadline = durationpb.New(req.SoftDeadline)
	}
	for _, s := range req.Streams {
		sent.Streams = append(sent.Streams, &connectorv1.ConfiguredStream{
			Stream: s.Stream, SyncMode: connectorv1.SyncMode(s.SyncMode), Fields: s.Fields,
		})
	}
	for i, s := range req.States {
		content, err := object(fmt.Sprintf("states[%d].content", i), s.State)
		if err != nil {
			return nil, err
		}
		sent.States = append(sent.States, &connectorv1.StreamState{Stream: s.Stream, Account: s.Account, Content: content})
	}
	return sent, nil
}

func message(m *connectorv1.ReadResponse) connector.Message {
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		batch := &connector.RecordBatch{Stream: m.Records.GetStream(), Account: m.Records.GetAccount(), Generation: m.Records.GetGeneration()}
		for _, r := range m.Records.GetRecords() {
			batch.Records = append(batch.Records, connector.Record{
				Data: r.GetData(), Operation: connector.Operation(r.GetOperation()), AsOf: instant(r.GetAsOf()), EventID: r.GetEventId(),
			})
		}
		return batch
	case *connectorv1.ReadResponse_Checkpoint:
		state := m.Checkpoint.GetState()
		return &connector.StateCheckpoint{Records: m.Checkpoint.GetRecords(), StreamState: connector.StreamState{
			Stream: state.GetStream(), Account: state.GetAccount(), State: text(state.GetContent()),
		}}
	case *connectorv1.ReadResponse_StreamStatus:
		return &connector.StreamStatus{
			Stream: m.StreamStatus.GetStream(), Account: m.StreamStatus.GetAccount(), Status: connector.Status(m.StreamStatus.GetStatus()),
			Failure: failure(m.StreamStatus.GetFailure()), Generation: m.StreamStatus.GetGeneration(),
		}
	case *connectorv1.ReadResponse_Progress:
		return &connector.Progress{Records: m.Progress.GetRecords(), Requests: m.Progress.GetRequests(), Fraction: m.Progress.GetFraction()}
	case *connectorv1.ReadResponse_Log:
		return &connector.LogEntry{Level: connector.LogLevel(m.Log.GetLevel()), Message: m.Log.GetMessage(), Stream: m.Log.GetStream()}
	}
	return nil
}

func report(s *connectorv1.Summary) connector.Summary {
	summary := connector.Summary{HasMore: s.GetHasMore(), Requests: s.GetRequests(), Retries: s.GetRetries()}
	for _, of := range s.GetStreams() {
		stream := connector.StreamSummary{
			Stream: of.GetStream(), Account: of.GetAccount(), Status: connector.Status(of.GetStatus()), Failure: failure(of.GetFailure()),
			Upserts: of.GetUpserts(), Deletes: of.GetDeletes(), DeletesMatching: of.GetDeletesMatching(), Withheld: of.GetWithheld(),
			Bytes: of.GetBytes(), Generation: of.GetGeneration(),
		}
		if of.GetState() != nil {
			stream.State = text(of.GetState().GetContent())
		}
		summary.Streams = append(summary.Streams, stream)
	}
	return summary
}

// failed returns an error of the client's as a Source would return it.
func failed(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return failure(e.Failure)
	}
	return err
}

func failure(f *connectorv1.Failure) *connector.Failure {
	if f == nil {
		return nil
	}
	result := &connector.Failure{
		Class: connector.Class(f.GetClass()), Message: f.GetMessage(), Internal: f.GetInternalMessage(), Retryable: f.GetRetryable(),
		Stream: f.GetStream(), Account: f.GetAccount(),
	}
	for _, v := range f.GetViolations() {
		result.Violations = append(result.Violations, connector.Violation{Field: v.GetField(), Description: v.GetDescription()})
	}
	return result
}

// object returns JSON as the protocol carries it, which is objects only.
func object(field string, raw json.RawMessage) (*structpb.Struct, error) {
	if raw == nil {
		return nil, nil
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, connector.Invalid(connector.Violation{Field: field, Description: "must be a JSON object"})
	}
	return structpb.NewStruct(members)
}

func text(s *structpb.Struct) json.RawMessage {
	raw, err := json.Marshal(s.AsMap())
	if err != nil {
		panic(err) // the client has parsed it
	}
	return raw
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// numbers turns values of one enum into those of another that numbers them alike.
func numbers[To, From ~int | ~int32](values []From) []To {
	result := make([]To, len(values))
	for i, v := range values {
		result[i] = To(v)
	}
	return result
}
