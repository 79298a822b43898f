package stripe_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// replicas stores what incremental Reads send, as orchestrators do: rows by primary key, and the last state of each stream.
type replicas struct {
	streams map[string]connector.Stream
	// strict means that records are stored only together with a state that covers them. Otherwise everything received is
	// stored.
	strict bool
	// columns are selected besides those that come by default, by stream.
	columns map[string][]string

	tables map[string]*copyOf
	wrong  []string
}

// copyOf is what is known about one stream.
type copyOf struct {
	state    *connector.StreamState
	complete bool // the last Read with records for the stream completed it
	rows     map[string]line
	newest   map[string]int64     // highest revision received for each key, including deleted rows
	asOf     map[string]time.Time // AsOf of the last record for each key
	waiting  []received
	loose    []string // keys of records not covered by a state
}

type line struct {
	data       string
	generation int64
}

type received struct {
	record     connector.Record
	generation int64
}

func newReplicas(streams map[string]connector.Stream, strict bool) *replicas {
	return &replicas{streams: streams, strict: strict, tables: map[string]*copyOf{}}
}

// request returns the streams that were selected so far, with their last states.
func (r *replicas) request() (streams []connector.ConfiguredStream, states []connector.StreamState) {
	for _, name := range slices.Sorted(maps.Keys(r.tables)) {
		configured := connector.ConfiguredStream{Stream: name, SyncMode: connector.Incremental}
		if columns := r.columns[name]; columns != nil {
			configured.Fields = append([]string{"*"}, columns...)
		}
		streams = append(streams, configured)
		if state := r.tables[name].state; state != nil {
			states = append(states, *state)
		}
	}
	return streams, states
}

func (r *replicas) add(name string) {
	if r.tables[name] == nil {
		r.tables[name] = &copyOf{rows: map[string]line{}, newest: map[string]int64{}, asOf: map[string]time.Time{}}
	}
}

// store stores the messages received from a Read.
func (r *replicas) store(messages []connector.Message) {
	for _, m := range messages {
		switch m := m.(type) {
		case *connector.RecordBatch:
			t := r.tables[m.Stream]
			for _, record := range m.Records {
				t.waiting = append(t.waiting, received{record, m.Generation})
			}
			if !r.strict {
				r.apply(m.Stream, t)
			}
		case *connector.StateCheckpoint:
			state := m.StreamState
			t := r.tables[m.Stream]
			t.state = &state
			r.apply(m.Stream, t)
			t.loose = nil
		case *connector.StreamStatus:
			r.conclude(m)
		}
	}
	for _, t := range r.tables {
		t.waiting = nil
		for _, key := range t.loose { // the next Read doesn't know about these and may send older ones first
			delete(t.newest, key)
			delete(t.asOf, key)
		}
		t.loose = nil
	}
}

// conclude removes the rows that a complete generation didn't send again.
func (r *replicas) conclude(m *connector.StreamStatus) {
	t := r.tables[m.Stream]
	t.complete = m.Status == connector.Complete
	if !t.complete {
		return
	}
	if len(t.waiting) > 0 {
		r.complain("%s is complete, but no state covers its last %d records", m.Stream, len(t.waiting))
	}
	maps.DeleteFunc(t.rows, func(key string, row line) bool {
		if m.Stream == "events" && row.generation < m.Generation {
			r.complain("events: generation %d removes %s", m.Generation, key)
		}
		return row.generation < m.Generation
	})
}

// apply stores the waiting records in the order received.
func (r *replicas) apply(name string, t *copyOf) {
	for _, arrived := range t.waiting {
		data := arrived.record.Data
		switch arrived.record.Operation {
		case connector.Upsert:
			key := r.key(name, data)
			if before, now := t.newest[key], revision(data); now >= before {
				t.newest[key] = now
			} else if showsRevision(data) {
				r.complain("%s %s: revision %d after %d", name, key, now, before)
			}
			at := arrived.record.AsOf.Truncate(time.Second) // the precision of events
			if at.Before(t.asOf[key]) && name != "events" { // which never change
				r.complain("%s %s: record as of %v after %v", name, key, at, t.asOf[key])
			}
			t.asOf[key] = at
			t.loose = append(t.loose, key)
			if before := t.rows[key].generation; arrived.generation < before {
				r.complain("%s %s: generation %d after %d", name, key, arrived.generation, before)
			}
			t.rows[key] = line{data, arrived.generation}
		case connector.Delete:
			delete(t.rows, r.key(name, data))
		case connector.DeleteMatching:
			maps.DeleteFunc(t.rows, func(_ string, row line) bool { return matches(row.data, data) })
		default:
			r.complain("%s: unknown operation %d", name, arrived.record.Operation)
		}
	}
	t.waiting = nil
}

// matches reports whether a row has all the fields of another object, with the same values.
func matches(row, fields string) bool {
	for name, value := range rawjson.Members(fields) {
		if has, _ := rawjson.Lookup(row, name); has != value {
			return false
		}
	}
	return true
}

// lacks reports whether a stream lacks something, as its state says.
func (r *replicas) lacks() bool {
	for _, t := range r.tables {
		if t.state != nil && bytes.Contains(t.state.State, []byte(`"aside":`)) {
			return true
		}
	}
	return false
}

func (r *replicas) key(stream, data string) string {
	var parts []string
	for _, field := range r.streams[stream].PrimaryKey {
		value, ok := rawjson.Lookup(data, field)
		if !ok {
			r.complain("%s: no %s in %s", stream, field, data)
		}
		parts = append(parts, strings.Trim(value, `"`))
	}
	return strings.Join(parts, "|")
}

func (r *replicas) complain(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// relisted reports whether the previous states were part of a second listing, which a Read has finished.
func (r *replicas) relisted(before map[string]*copyOf) bool {
	for _, table := range before {
		if table.state != nil && strings.Contains(string(table.state.State), `"relisting":true`) {
			return true
		}
	}
	return false
}
