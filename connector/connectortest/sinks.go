package connectortest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// classes are all classes of failures but SourceData, which a Sink may return without ending the Read.
var classes = []connector.Class{
	connector.ConfigError, connector.AuthError, connector.PermissionError, connector.RateLimit, connector.Transient, connector.System,
}

// checkFailingSinks fails at the first message of each kind, with errors of every class.
func checkFailingSinks(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		failures := []error{errStop, fmt.Errorf("wrapped: %w", &connector.Failure{Class: connector.Transient, Message: "planned"})}
		for _, class := range classes {
			failures = append(failures, &connector.Failure{Class: class, Message: "The sink failed as planned."})
		}
		for _, failure := range failures {
			for what, is := range messageKinds {
				t.failAt(ctx, mode, what, is, failure)
			}
		}
		t.failOneStream(ctx, mode)
	}
}

// messageKinds are the messages that every Read has.
var messageKinds = map[string]func(connector.Message) bool{
	"records": func(m connector.Message) bool { _, ok := m.(*connector.RecordBatch); return ok },
	"state":   func(m connector.Message) bool { _, ok := m.(*connector.StateCheckpoint); return ok },
	"status":  func(m connector.Message) bool { _, ok := m.(*connector.StreamStatus); return ok },
}

// failAt fails at the first message of a kind, and at all messages after it.
func (t *trial) failAt(ctx context.Context, mode connector.SyncMode, what string, is func(connector.Message) bool, failure error) {
	failed := false
	o := t.read(ctx, t.source, t.request(mode), func(_ context.Context, _ int, m connector.Message) error {
		if failed = failed || is(m); failed {
			return failure
		}
		return nil
	})
	if failed && o.panicked == nil && !o.hung && o.err != nil && !errors.Is(o.err, failure) {
		t.broke("sink-error", "the sink failed at the first %s with %q, and Read ended with %q", what, failure, o.err)
	}
}

// failOneStream refuses the records of one stream, like a sink that can't carry them.
func (t *trial) failOneStream(ctx context.Context, mode connector.SyncMode) {
	refusal := &connector.Failure{Class: connector.SourceData, Message: "The record can't be carried, as planned."}
	refused, keys := "", map[string]bool{}
	req := t.request(mode)
	o := t.read(ctx, t.source, req, func(_ context.Context, _ int, m connector.Message) error {
		batch, ok := m.(*connector.RecordBatch)
		if !ok || refused != "" && batch.Stream != refused {
			return nil
		}
		refused = batch.Stream
		if len(batch.Records) == 1 {
			keys[batch.Records[0].Key] = true
		}
		return refusal
	})
	if o.hung || refused == "" {
		return
	}
	if o.err != nil || o.panicked != nil {
		t.broke("source-data", "the sink could not carry records of %s, and Read ended with %v", refused, o.err)
		return
	}
	for _, s := range o.summary.Streams {
		switch ended := s.Status == connector.Incomplete && s.Failure != nil && s.Failure.Class == connector.SourceData; {
		case s.Stream != refused && s.Status != connector.Complete:
			t.broke("source-data", "the sink could not carry records of %s, and %s is %s", refused, s.Stream, s.Status)
		case s.Stream == refused && s.Status == connector.Complete && s.SetAsideTotal > 0:
			t.namesAside(s, keys)
			return // they come again when the source sees fit
		case s.Stream == refused && !ended:
			t.broke("source-data", "the sink could not carry its records, and %s is %s: %s", refused, s.Status, failureText(s.Failure))
		}
	}
	r := newReplica(t, false)
	r.store(o.messages)
	rest, _ := r.resume(req, false)
	if o := t.mustRead(ctx, t.fresh(), rest, "source-data"); o != nil {
		r.store(o.messages)
		t.reportDifference(r, t.rows.only(req), "after the sink could not carry some records")
	}
}

// namesAside checks that a summary names the records that the sink refused one by one.
func (t *trial) namesAside(s connector.StreamSummary, keys map[string]bool) {
	if s.SetAsideTotal != int64(len(keys)) || len(s.SetAside) != min(len(keys), connector.MaxSetAside) {
		t.broke("source-data", "the sink could not carry %d records of %s, but %d were set aside", len(keys), s.Stream, s.SetAsideTotal)
	}
	for _, what := range s.SetAside {
		_, owner, below := strings.Cut(what.Key, " of ") // the key of a DELETE_MATCHING names the parent
		if !keys[what.Key] && (!below || !keys[owner]) || what.Failure == nil {
			t.broke("source-data", "%s set %q aside, which the sink could carry", s.Stream, what.Key)
		}
	}
}

// checkSlowSink reads slowly: nothing is lost, and heartbeats come.
func checkSlowSink(ctx context.Context, t *trial) {
	for _, mode := range t.modes() {
		req := t.request(mode)
		o := t.read(ctx, t.source, req, sleeping(t.options.Slowness))
		if o.hung || o.panicked != nil || o.err != nil {
			t.broke("sink-error", "with a slow sink that did not fail, the Read ended with %v", o.err)
			return
		}
		r := newReplica(t, false)
		r.store(o.messages)
		t.reportDifference(r, t.rows.only(req), "with a slow sink")
		beats := 0
		for _, m := range o.messages {
			if _, ok := m.(*connector.Progress); ok {
				beats++
			}
		}
		if t.options.Heartbeats && beats == 0 {
			t.broke("heartbeat", "a Read of %d slow messages had no heartbeat", len(o.messages))
		}
	}
}
