package server

import (
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func stateResponse(m *connector.StateCheckpoint) (*connectorv1.ReadResponse, error) {
	state, err := structFromJSON(m.State)
	if err != nil {
		return nil, fmt.Errorf("convert the state of stream %s: %w", m.Stream, err)
	}
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Checkpoint{Checkpoint: &connectorv1.StateCheckpoint{
		State:   &connectorv1.StreamState{Stream: m.Stream, Account: m.Account, Content: state},
		Records: m.Records,
	}}}, nil
}

func statusResponse(m *connector.StreamStatus, hidden secrets) *connectorv1.ReadResponse {
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_StreamStatus{
		StreamStatus: &connectorv1.StreamStatusChange{
			Stream:     m.Stream,
			Account:    m.Account,
			Status:     connectorv1.StreamStatus(m.Status),
			Failure:    protoFailure(m.Failure, hidden),
			Generation: m.Generation,
		},
	}}
}

func progressResponse(m *connector.Progress) *connectorv1.ReadResponse {
	progress := &connectorv1.Progress{
		Records:          m.Records,
		Requests:         m.Requests,
		Fraction:         m.Fraction,
		WaitingUntil:     protoTime(m.WaitingUntil),
		Retries:          m.Retries,
		RecordsPerSecond: m.RecordsPerSecond,
		TimeLeft:         protoDuration(m.TimeLeft),
	}
	for _, stream := range m.Streams {
		progress.Streams = append(progress.Streams, &connectorv1.StreamProgress{
			Stream: stream.Stream, Account: stream.Account, Records: stream.Records, Fraction: stream.Fraction,
		})
	}
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Progress{Progress: progress}}
}

func logResponse(m *connector.LogEntry, hidden secrets) *connectorv1.ReadResponse {
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{
		Level:   connectorv1.LogLevel(m.Level),
		Message: hidden.clean(m.Message),
		Stream:  m.Stream,
		Account: m.Account,
	}}}
}

func summaryResponse(m connector.Summary, hidden secrets) (*connectorv1.ReadResponse, error) {
	summary := &connectorv1.Summary{
		Requests: m.Requests,
		Retries:  m.Retries,
		Waited:   protoDuration(m.Waited),
		Duration: protoDuration(m.Duration),
		HasMore:  m.HasMore,
	}
	for _, stream := range m.Streams {
		converted, err := streamSummary(stream, hidden)
		if err != nil {
			return nil, err
		}
		summary.Streams = append(summary.Streams, converted)
	}
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Summary{Summary: summary}}, nil
}

func streamSummary(m connector.StreamSummary, hidden secrets) (*connectorv1.StreamSummary, error) {
	content, err := structFromJSON(m.State)
	if err != nil {
		return nil, fmt.Errorf("convert the final state of stream %s: %w", m.Stream, err)
	}
	summary := &connectorv1.StreamSummary{
		Stream:          m.Stream,
		Account:         m.Account,
		Status:          connectorv1.StreamStatus(m.Status),
		Failure:         protoFailure(m.Failure, hidden),
		Upserts:         m.Upserts,
		Deletes:         m.Deletes,
		DeletesMatching: m.DeletesMatching,
		Withheld:        m.Withheld,
		Bytes:           m.Bytes,
		Generation:      m.Generation,
		Watermark:       protoTime(m.Watermark),
		SetAsideTotal:   m.SetAsideTotal,
	}
	if content != nil {
		summary.State = &connectorv1.StreamState{Stream: m.Stream, Account: m.Account, Content: content}
	}
	for _, s := range m.SetAside[:min(len(m.SetAside), connector.MaxSetAside)] {
		summary.SetAside = append(summary.SetAside, &connectorv1.SetAside{
			Key: hidden.clean(s.Key), Failure: protoFailure(s.Failure, hidden), Since: protoTime(s.Since), Attempts: s.Attempts,
		})
	}
	summary.Drift = protoDrift(m.Drift, hidden)
	if r := m.Reconciliation; r != nil {
		summary.Reconciliation = &connectorv1.Reconciliation{
			Listed: r.Listed, Missing: r.Missing, Stale: r.Stale, Extra: r.Extra,
		}
	}
	return summary, nil
}

func protoDrift(d *connector.Drift, hidden secrets) *connectorv1.Drift {
	if d == nil {
		return nil
	}
	drift := &connectorv1.Drift{Examined: d.Examined}
	for _, f := range d.New[:min(len(d.New), connector.MaxDrift)] {
		drift.NewFields = append(drift.NewFields, &connectorv1.NewField{Path: hidden.clean(f.Path), Records: f.Records})
	}
	for _, name := range d.Absent[:min(len(d.Absent), connector.MaxDrift)] {
		drift.AbsentFields = append(drift.AbsentFields, hidden.clean(name))
	}
	return drift
}
