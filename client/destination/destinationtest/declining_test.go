package destinationtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// simple is an in-memory destination that can't apply every operation.
type simple struct {
	accepts []connectorv1.Operation

	mu     sync.Mutex
	open   bool
	rows   map[string]row
	states map[string]*connectorv1.StreamState
}

type row struct {
	destinationtest.Row
	generation int64
}

func (s *simple) Begin(context.Context, []*connectorv1.Stream) (client.BeginResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := client.BeginResult{AcceptedOperations: s.accepts}
	for _, state := range s.states {
		begun.States = append(begun.States, state)
	}
	return begun, nil
}

func (s *simple) Commit(_ context.Context, c client.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, batch := range c.Records {
		for _, record := range batch.GetRecords() {
			if err := s.apply(batch, record); err != nil {
				return err
			}
		}
	}
	for _, state := range c.States {
		s.states[destinationtest.Key(state.GetStream(), state.GetAccount(), "")] = state
	}
	for _, done := range c.Completed {
		for key, r := range s.rows {
			if r.Stream == done.Stream && r.Account == done.Account && r.generation < done.Generation {
				delete(s.rows, key)
			}
		}
	}
	return nil
}

func (s *simple) apply(batch *connectorv1.RecordBatch, record *connectorv1.Record) error {
	if !slices.Contains(s.accepts, record.GetOperation()) {
		return fmt.Errorf("%v was sent, and is declined", record.GetOperation())
	}
	var object struct{ ID string }
	if err := json.Unmarshal([]byte(record.GetData()), &object); err != nil {
		return err
	}
	key := destinationtest.Key(batch.GetStream(), batch.GetAccount(), object.ID)
	if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE {
		delete(s.rows, key)
		return nil
	}
	s.rows[key] = row{destinationtest.Row{Stream: batch.GetStream(), Account: batch.GetAccount(), ID: object.ID, Data: record.GetData()}, batch.GetGeneration()}
	return nil
}

func (s *simple) Close() error {
	s.open = false
	return nil
}

// TestDecliningDestination runs the suite on a destination that declines operations. It isn't sent those, and its rows are
// those that result from the others.
func TestDecliningDestination(t *testing.T) {
	const upsert, remove = connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE
	for name, accepts := range map[string][]connectorv1.Operation{"no matching": {upsert, remove}, "upserts only": {upsert}} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			places := map[string]*simple{}
			at := func(place string) *simple {
				mu.Lock()
				defer mu.Unlock()
				return places[place]
			}
			destinationtest.Run(t, destinationtest.Subject{
				Modes: []destinationtest.Mode{destinationtest.Replace},
				New: func(*testing.T) string {
					mu.Lock()
					defer mu.Unlock()
					place := fmt.Sprint(len(places))
					places[place] = &simple{accepts: accepts, rows: map[string]row{}, states: map[string]*connectorv1.StreamState{}}
					return place
				},
				Open: func(place string, _ destinationtest.Mode) (client.Destination, error) {
					s := at(place)
					if s.open {
						return nil, errors.New("it is open already")
					}
					s.open = true
					return s, nil
				},
				Rows: func(place string, _ destinationtest.Mode) (rows []destinationtest.Row, err error) {
					for _, r := range at(place).rows {
						rows = append(rows, r.Row)
					}
					return rows, nil
				},
			})
		})
	}
}
