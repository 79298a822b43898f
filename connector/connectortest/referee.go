package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector"
)

// referee judges the messages of one Read, one by one, and then its summary.
type referee struct {
	t        *trial
	req      connector.ReadRequest
	selected map[string]connector.ConfiguredStream
	given    map[part]json.RawMessage
	parts    map[part]*streamLog
	records  int64 // taken
	progress connector.Progress
	failed   error // of the sink
}

// part is a stream of an account.
type part struct{ stream, account string }

// streamLog is what a stream has sent so far.
type streamLog struct {
	status     connector.Status
	failure    *connector.Failure
	generation int64
	since      int64 // records since the last state
	state      json.RawMessage
	asOf       map[string]time.Time // of the last record of each key
	counts     connector.StreamSummary
}

func newReferee(t *trial, req connector.ReadRequest) *referee {
	r := &referee{
		t: t, req: req,
		selected: map[string]connector.ConfiguredStream{}, given: map[part]json.RawMessage{}, parts: map[part]*streamLog{},
	}
	for _, s := range req.Streams {
		r.selected[s.Stream] = s
	}
	for _, s := range req.States {
		r.given[part{s.Stream, s.Account}] = s.State
	}
	return r
}

func (r *referee) of(stream, account string) *streamLog {
	p := r.parts[part{stream, account}]
	if p == nil {
		p = &streamLog{asOf: map[string]time.Time{}}
		r.parts[part{stream, account}] = p
	}
	return p
}

// offered judges a message before the sink takes or refuses it.
func (r *referee) offered(m connector.Message) {
	r.t.findSecrets(m)
	if r.failed != nil { // nothing adds up anymore
		if m, ok := m.(*connector.StateCheckpoint); ok && !isContext(r.failed) { // whose end the source may learn from Send
			r.t.broke(r.sinkPromise(), "after the sink had failed with %q, a state of %s was sent", r.failed, m.Stream)
		}
		return
	}
	switch m := m.(type) {
	case *connector.RecordBatch:
		r.batch(m)
	case *connector.StateCheckpoint:
		r.state(m)
	case *connector.StreamStatus:
		r.statusOf(m)
	case *connector.Progress:
		r.heartbeat(m)
	}
}

// sinkPromise returns the promise that covers how the sink failed.
func (r *referee) sinkPromise() string {
	if errors.Is(r.failed, errPanic) {
		return "sink-panic"
	}
	return "sink-error"
}

// refused records that the sink failed.
func (r *referee) refused(err error) {
	if f, ok := errors.AsType[*connector.Failure](err); !ok || f.Class != connector.SourceData {
		r.failed = err
	}
}

// taken counts a message.
func (r *referee) taken(m connector.Message) {
	switch m := m.(type) {
	case *connector.RecordBatch:
		p := r.of(m.Stream, m.Account)
		p.since += int64(len(m.Records))
		r.records += int64(len(m.Records))
		for _, record := range m.Records {
			p.counts.Bytes += int64(len(record.Data))
			switch record.Operation {
			case connector.Upsert:
				p.counts.Upserts++
			case connector.Delete:
				p.counts.Deletes++
			case connector.DeleteMatching:
				p.counts.DeletesMatching++
			}
		}
	case *connector.StateCheckpoint:
		p := r.of(m.Stream, m.Account)
		p.since, p.state = 0, slices.Clone(m.State)
	}
}

func (r *referee) isSelected(stream, what string) bool {
	_, ok := r.selected[stream]
	if !ok {
		r.t.broke("selected-streams", "got a %s of %q, which is not among the configured streams", what, stream)
	}
	return ok
}

func (r *referee) batch(m *connector.RecordBatch) {
	if !r.isSelected(m.Stream, "batch of records") {
		return
	}
	p := r.of(m.Stream, m.Account)
	if p.status != connector.Running {
		r.t.broke("status-order", "got records of %s while it was %s", m.Stream, p.status)
	}
	r.generation(m.Stream, p, m.Generation)
	for _, record := range m.Records {
		r.record(m.Stream, p, record)
	}
}

func (r *referee) record(stream string, p *streamLog, record connector.Record) {
	var compact bytes.Buffer
	err := json.Compact(&compact, []byte(record.Data))
	if err != nil || compact.String() != record.Data || !utf8.ValidString(record.Data) {
		r.t.broke("record-data", "a record of %s is not compact JSON: %.100q", stream, record.Data)
		return
	}
	if accepted := r.req.AcceptedOperations; len(accepted) > 0 && !slices.Contains(accepted, record.Operation) {
		r.t.broke("accepted-operations", "%s sent a record with operation %d, which the request does not accept", stream, record.Operation)
	}
	s := r.t.stream(stream)
	if s == nil {
		return // the catalog is still being judged
	}
	key, ok := s.judge(r.t, record, len(r.selected[stream].Fields) > 0)
	if !ok || record.Operation == connector.DeleteMatching {
		return
	}
	if record.AsOf.IsZero() {
		return // nothing is claimed
	}
	if before := p.asOf[key]; record.AsOf.Before(before) {
		r.t.broke("order", "%s %s: a record as of %v follows one as of %v", stream, key, record.AsOf, before)
	}
	p.asOf[key] = record.AsOf
}

func (r *referee) state(m *connector.StateCheckpoint) {
	if !r.isSelected(m.Stream, "state") {
		return
	}
	p := r.of(m.Stream, m.Account)
	if p.status != connector.Started && p.status != connector.Running {
		r.t.broke("status-order", "got a state of %s while it was %s", m.Stream, p.status)
	}
	if m.Records != p.since {
		r.t.broke("records-counted", "a state of %s says %d records, but %d arrived since the previous one", m.Stream, m.Records, p.since)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(m.State, &object); err != nil {
		r.t.broke("invariant", "a state of %s is not a JSON object: %.100q", m.Stream, m.State)
	}
}

// next lists the statuses that may follow each status in a Read without Follow.
var next = map[connector.Status][]connector.Status{
	0:                 {connector.Started, connector.Skipped},
	connector.Started: {connector.Running, connector.Complete, connector.Incomplete, connector.Skipped},
	connector.Running: {connector.Complete, connector.Incomplete, connector.Skipped},
}

func (r *referee) statusOf(m *connector.StreamStatus) {
	if !r.isSelected(m.Stream, "status") {
		return
	}
	p := r.of(m.Stream, m.Account)
	if !slices.Contains(next[p.status], m.Status) && !r.req.Follow {
		r.t.broke("status-order", "%s went from %s to %s", m.Stream, p.status, m.Status)
	}
	if m.Status == connector.Skipped || m.Failure != nil && m.Failure.Class == connector.PermissionError { // which keeps that of its state
		p.generation = m.Generation
	}
	r.generation(m.Stream, p, m.Generation)
	switch {
	case m.Status == connector.Skipped && m.Failure == nil:
		r.t.broke("status-order", "%s was skipped without a failure that says why", m.Stream)
	case m.Status < connector.Incomplete && m.Failure != nil:
		r.t.broke("status-order", "%s is %s but has a failure: %v", m.Stream, m.Status, m.Failure)
	case m.Status == connector.Complete && p.since > 0:
		r.t.broke("complete", "%s is complete, but no state covers its last %d records", m.Stream, p.since)
	case m.Status == connector.Complete && p.state == nil && r.given[part{m.Stream, m.Account}] == nil:
		r.t.broke("complete", "%s is complete, but has no state", m.Stream)
	}
	p.status, p.failure = m.Status, m.Failure
}

// generation judges the generation of a message: within a Read, it may grow when a stream is read once more.
func (r *referee) generation(stream string, p *streamLog, is int64) {
	if is < p.generation {
		r.t.broke("generation", "the generation of %s decreased from %d to %d within a Read", stream, p.generation, is)
	}
	p.generation = is
}

func (r *referee) heartbeat(m *connector.Progress) {
	switch {
	case m.Records > r.records:
		r.t.broke("progress", "a heartbeat counts %d records, but %d were sent", m.Records, r.records)
	case m.Records < r.progress.Records || m.Requests < r.progress.Requests || m.Retries < r.progress.Retries:
		r.t.broke("progress", "the counts of a heartbeat are lower than those of the one before: %s", jsonOf(m))
	case m.Fraction < 0 || m.Fraction > 1:
		r.t.broke("progress", "a heartbeat says that %v of the history is read", m.Fraction)
	}
	r.progress = *m
}

// end judges how the Read ended.
func (r *referee) end(o *outcome) {
	r.t.findSecrets(o.err)
	r.t.findSecrets(o.summary)
	if o.panicked != nil {
		return
	}
	if o.err == nil {
		r.summary(o.summary)
		return
	}
	_, isFailure := errors.AsType[*connector.Failure](o.err)
	if !isFailure && !isContext(o.err) && (r.failed == nil || !errors.Is(o.err, r.failed)) {
		r.t.broke("errors", "Read ended with %T: %v", o.err, o.err)
	}
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
