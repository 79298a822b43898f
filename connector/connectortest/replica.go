package connectortest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
)

// replica is a destination: it applies records, stores states, and resumes from them.
type replica struct {
	t *trial
	// eager applies records as they come. Otherwise those of a stream are applied only together with a state after them,
	// and the others are lost with the Read.
	eager  bool
	tables map[part]*table
	// outdated are rows that were removed because their generation was over, as "stream key".
	outdated map[string]bool
}

// table is a stream of an account at the destination.
type table struct {
	rows     map[string]row
	waiting  []row
	state    []byte
	complete bool
	highest  int64 // generation
}

// row is a record that was received, or applied.
type row struct {
	key, data  string
	operation  connector.Operation
	generation int64
}

type rows map[part]map[string]string // data by key

func newReplica(t *trial, eager bool) *replica {
	return &replica{t: t, eager: eager, tables: map[part]*table{}, outdated: map[string]bool{}}
}

// clone returns an independent copy.
func (r *replica) clone() *replica {
	c := newReplica(r.t, r.eager)
	for at, of := range r.tables {
		copied := *of
		copied.rows = maps.Clone(of.rows)
		c.tables[at] = &copied
	}
	return c
}

func (r *replica) table(stream, account string) *table {
	at := part{stream, account}
	if r.tables[at] == nil {
		r.tables[at] = &table{rows: map[string]row{}}
	}
	return r.tables[at]
}

// store takes the messages of a Read.
func (r *replica) store(messages []connector.Message) {
	for _, m := range messages {
		switch m := m.(type) {
		case *connector.RecordBatch:
			r.receive(m)
		case *connector.StateCheckpoint:
			of := r.table(m.Stream, m.Account)
			of.state, of.complete = m.State, false
			r.apply(of, m.Stream)
		case *connector.StreamStatus:
			of := r.table(m.Stream, m.Account)
			if of.complete = m.Status == connector.Complete; of.complete {
				r.apply(of, m.Stream)
				r.removeOlder(m)
			}
		}
	}
	for _, of := range r.tables {
		of.waiting = nil // their Read is over, and no state covers them
	}
}

// removeOlder removes the rows that weren't sent again in the generation of a complete stream.
func (r *replica) removeOlder(m *connector.StreamStatus) {
	maps.DeleteFunc(r.table(m.Stream, m.Account).rows, func(key string, row row) bool {
		older := row.generation < m.Generation
		if older {
			r.outdated[m.Stream+" "+key] = true
		}
		return older
	})
}

func (r *replica) receive(m *connector.RecordBatch) {
	of, s := r.table(m.Stream, m.Account), r.t.stream(m.Stream)
	if s == nil {
		return
	}
	if m.Generation < of.highest {
		r.t.broke("generation", "records of %s have generation %d, but earlier ones had %d", m.Stream, m.Generation, of.highest)
	}
	of.highest = max(of.highest, m.Generation)
	for _, record := range m.Records {
		received := row{data: record.Data, operation: record.Operation, generation: m.Generation}
		if record.Operation != connector.DeleteMatching {
			received.key = s.key(decoded([]byte(record.Data)))
		}
		of.waiting = append(of.waiting, received)
	}
	if r.eager {
		r.apply(of, m.Stream)
	}
}

// apply applies the pending records, in the order received.
func (r *replica) apply(of *table, stream string) {
	for _, received := range of.waiting {
		switch received.operation {
		case connector.Upsert:
			of.rows[received.key] = received
		case connector.Delete:
			delete(of.rows, received.key)
		case connector.DeleteMatching:
			field := r.t.stream(stream).ParentField
			parent := lookup(decoded([]byte(received.data)), field)
			maps.DeleteFunc(of.rows, func(_ string, row row) bool {
				return cmp.Equal(lookup(decoded([]byte(row.data)), field), parent)
			})
		}
	}
	of.waiting = nil
}

// resume turns a request into one that resumes from what is stored. Streams whose full refresh is complete are omitted:
// to read them again would be another refresh. So are all streams that are complete if only those are wanted that are
// unfinished. It reports whether anything is left to read.
func (r *replica) resume(req connector.ReadRequest, unfinished bool) (connector.ReadRequest, bool) {
	requested := req.Streams
	req.Streams, req.States = nil, nil
	for _, s := range requested {
		var states []connector.StreamState
		complete := false
		for at, of := range r.tables {
			if at.stream == s.Stream {
				complete = complete || of.complete
				if of.state != nil {
					states = append(states, connector.StreamState{Stream: at.stream, Account: at.account, State: of.state})
				}
			}
		}
		if complete && (s.SyncMode == connector.FullRefresh || unfinished) {
			continue
		}
		req.Streams = append(req.Streams, s)
		req.States = append(req.States, states...)
	}
	return req, len(req.Streams) > 0
}

// rows returns the stored rows.
func (r *replica) rows() rows {
	all := rows{}
	for at, of := range r.tables {
		all[at] = map[string]string{}
		for key, row := range of.rows {
			all[at][key] = row.data
		}
	}
	return all
}

// difference lists how rows differ from those that should exist, each as "stream key".
type difference struct{ missing, extra, changed []string }

func (d difference) isEmpty() bool { return len(d.missing)+len(d.extra)+len(d.changed) == 0 }

// String returns the difference in a few words.
func (d difference) String() string {
	text := ""
	for _, part := range []struct {
		names []string
		what  string
	}{{d.missing, "missing"}, {d.extra, "too many"}, {d.changed, "different"}} {
		if len(part.names) > 0 {
			text += fmt.Sprintf("%d rows are %s: %s; ", len(part.names), part.what, short(part.names))
		}
	}
	return text
}

// compare returns how rows differ from those wanted. A wanted row without content matches any.
func (got rows) compare(want rows) difference {
	var d difference
	for at, of := range want {
		for key, data := range of {
			name := at.stream + " " + key
			switch there, ok := got[at][key]; {
			case !ok:
				d.missing = append(d.missing, name)
			case data != "" && !sameJSON([]byte(there), []byte(data)):
				d.changed = append(d.changed, name)
			}
		}
	}
	for at, of := range got {
		for key := range of {
			if _, ok := want[at][key]; !ok {
				d.extra = append(d.extra, at.stream+" "+key)
			}
		}
	}
	return d
}

// only returns the rows of the streams of a request.
func (got rows) only(req connector.ReadRequest) rows {
	some := rows{}
	for at, of := range got {
		if slices.ContainsFunc(req.Streams, func(s connector.ConfiguredStream) bool { return s.Stream == at.stream }) {
			some[at] = of
		}
	}
	return some
}
