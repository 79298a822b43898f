package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
)

// fakeSource has two streams of three records each. It rejects the API key "refused".
type fakeSource struct{}

func (fakeSource) Spec() connector.Spec {
	return connector.Spec{Source: "fake", ConfigSchema: json.RawMessage(`{"type":"object"}`),
		SyncModes: []connector.SyncMode{connector.FullRefresh}}
}

func (fakeSource) Check(_ context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	if key(req.Config) == "refused" {
		return connector.CheckResult{Problems: []*connector.Failure{
			{Class: connector.AuthError, Message: "The key was refused: make a new one.", RequestID: "req_1"}}}, nil
	}
	return connector.CheckResult{Account: "acct_1"}, nil
}

func (fakeSource) Discover(_ context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	if key(req.Config) == "" {
		return connector.Catalog{}, connector.Invalid(
			connector.Violation{Field: "config.api_key", Description: "Give the key."},
			connector.Violation{Field: "config.start_date", Description: "Write it as 2024-01-31."})
	}
	var catalog connector.Catalog
	for _, name := range []string{"apples", "pears"} {
		catalog.Streams = append(catalog.Streams, connector.Stream{
			Name: name, PrimaryKey: []string{"id"}, SyncModes: []connector.SyncMode{connector.FullRefresh},
			JSONSchema: json.RawMessage(`{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer"}}}`),
		})
	}
	return catalog, nil
}

func (fakeSource) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	var summary connector.Summary
	for _, s := range req.Streams {
		state := json.RawMessage(`{"done":true}`)
		messages := []connector.Message{
			&connector.StreamStatus{Stream: s.Stream, Status: connector.Started},
			&connector.Progress{Records: 1, Requests: 2, Fraction: 0.5,
				Streams: []connector.StreamProgress{{Stream: s.Stream, Records: 1, Fraction: 0.5}}},
			&connector.LogEntry{Level: connector.Warning, Stream: s.Stream, Message: "Re-read."},
			&connector.RecordBatch{Stream: s.Stream, Records: fruits(s.Stream)},
			&connector.StateCheckpoint{StreamState: connector.StreamState{Stream: s.Stream, State: state}, Records: 3},
		}
		end := connector.StreamSummary{Stream: s.Stream, Status: connector.Complete, State: state, Upserts: 3}
		status := &connector.StreamStatus{Stream: s.Stream, Status: connector.Complete}
		if key(req.Config) == "half" && s.Stream == "pears" {
			denied := &connector.Failure{Class: connector.PermissionError, Stream: s.Stream, Message: "The key may not read pears."}
			messages = messages[:1]
			status.Status, status.Failure = connector.Skipped, denied
			end = connector.StreamSummary{Stream: s.Stream, Status: connector.Skipped, Failure: denied}
		}
		for _, m := range append(messages, status) {
			if err := sink.Send(ctx, m); err != nil {
				return summary, err
			}
		}
		summary.Streams = append(summary.Streams, end)
	}
	return summary, nil
}

func fruits(stream string) []connector.Record {
	var all []connector.Record
	for i := range 3 {
		id := fmt.Sprintf("%s_%d", stream, i)
		all = append(all, connector.Record{
			Data: fmt.Sprintf(`{"id":%q,"n":%d}`, id, i), Operation: connector.Upsert, Key: id})
	}
	return all
}

func key(config connector.Config) string {
	var fields struct {
		Key string `json:"api_key"`
	}
	if err := json.Unmarshal(config.JSON(), &fields); err != nil {
		return ""
	}
	return fields.Key
}
