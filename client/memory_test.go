package client_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// memory is a destination that stores rows in memory, by stream and id.
type memory struct {
	rows    map[string]map[string]string
	states  map[string]*connectorv1.StreamState
	commits int
	refuse  error // the error of Commit, if set
	accepts []connectorv1.Operation
}

func newMemory() *memory {
	return &memory{rows: map[string]map[string]string{}, states: map[string]*connectorv1.StreamState{}}
}

func (m *memory) Begin(_ context.Context, streams []*connectorv1.Stream) (client.BeginResult, error) {
	var states []*connectorv1.StreamState
	for _, s := range streams {
		if m.rows[s.GetName()] == nil {
			m.rows[s.GetName()] = map[string]string{}
		}
		if state := m.states[s.GetName()]; state != nil {
			states = append(states, state)
		}
	}
	return client.BeginResult{States: states, AcceptedOperations: m.accepts}, nil
}

func (m *memory) Commit(ctx context.Context, c client.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.refuse != nil {
		return m.refuse
	}
	m.commits++
	for _, batch := range c.Records {
		applyRecords(m.rows[batch.GetStream()], batch.GetRecords())
	}
	for _, s := range c.States {
		m.states[s.GetStream()] = proto.CloneOf(s)
	}
	return nil
}

func (m *memory) Close() error { return nil }

func applyRecords(rows map[string]string, records []*connectorv1.Record) {
	for _, r := range records {
		var object struct{ ID string }
		if err := json.Unmarshal([]byte(r.GetData()), &object); err != nil {
			panic(err) // the fake service sent an invalid record
		}
		if r.GetOperation() == connectorv1.Operation_OPERATION_DELETE {
			delete(rows, object.ID)
		} else {
			rows[object.ID] = strings.TrimRight(r.GetData(), " ") // without the padding
		}
	}
}

// truth returns the rows that result from the first n records of a stream.
func truth(n int) map[string]string {
	rows := map[string]string{}
	for i := range n {
		applyRecords(rows, []*connectorv1.Record{fakeRecord(i)})
	}
	return rows
}

// wantRows checks that m has the rows that result from the first n records of a stream.
func wantRows(t *testing.T, m *memory, stream string, n int) {
	t.Helper()
	if !maps.Equal(truth(n), m.rows[stream]) {
		t.Errorf("rows of %s are not those of its first %d records: %v", stream, n, m.rows[stream])
	}
}
