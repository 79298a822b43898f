package connectortest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// operations lists all operations.
var operations = []connector.Operation{connector.Upsert, connector.Delete, connector.DeleteMatching}

// checkOperations reads data with deletions on behalf of a caller that can't apply some of them.
func checkOperations(ctx context.Context, t *trial) {
	judged := false
	for _, mode := range t.modes() {
		req := t.request(mode)
		if t.options.Mutate != nil && mode == connector.Incremental {
			r := newReplica(t, false)
			if !t.sync(ctx, r, req, "before deletions") {
				return
			}
			if err := t.options.Mutate(); err != nil {
				t.broke("incremental", "the data could not be changed: %v", err)
				return
			}
			t.refreshRows(ctx)
			req, _ = r.resume(req, false)
		}
		all := t.mustRead(ctx, t.source, req, "accepted-operations")
		if all == nil {
			return
		}
		for _, declined := range [][]connector.Operation{{connector.Delete}, {connector.DeleteMatching}, {connector.Delete, connector.DeleteMatching}} {
			judged = t.decline(ctx, req, all.summary, declined) || judged
		}
	}
	if !judged {
		t.skip("the source sent no deletion: make Mutate delete something")
	}
}

// decline repeats a Read without some operations, and reports whether the original had any of those.
func (t *trial) decline(ctx context.Context, req connector.ReadRequest, all connector.Summary, declined []connector.Operation) bool {
	req.AcceptedOperations = slices.DeleteFunc(slices.Clone(operations), func(o connector.Operation) bool { return slices.Contains(declined, o) })
	o := t.mustRead(ctx, t.source, req, "accepted-operations")
	if o == nil || len(o.summary.Streams) != len(all.Streams) || t.failed() {
		return false
	}
	judged := false
	for i, was := range all.Streams {
		var withheld int64
		if slices.Contains(declined, connector.Delete) {
			withheld += was.Deletes
		}
		if slices.Contains(declined, connector.DeleteMatching) {
			withheld += was.DeletesMatching
		}
		judged = judged || withheld > 0
		if is := o.summary.Streams[i]; is.Withheld != withheld {
			t.broke("withheld", "%s withheld %d records from a caller that declines %v, but sent %d to one that accepts them", is.Stream, is.Withheld, declined, withheld)
		}
	}
	return judged
}

// checkFields reads one field of each stream besides its key.
func checkFields(ctx context.Context, t *trial) {
	if !t.supports(connector.FieldSelection) {
		t.skip("the source does not support FIELD_SELECTION")
		return
	}
	judged := false
	for _, mode := range t.modes() {
		req := t.request(mode)
		allowed := map[string][]string{}
		for i, configured := range req.Streams {
			s := t.stream(configured.Stream)
			paths := slices.Concat(s.PrimaryKey, []string{s.CursorField, s.ParentField})
			if fields := t.moreFields(s, paths); len(fields) > 0 {
				field := fields[0]
				judged = judged || len(fields) > 1
				req.Streams[i].Fields = []string{field}
				paths = append(paths, field)
				for _, path := range paths {
					top, _, _ := strings.Cut(path, ".")
					allowed[s.Name] = append(allowed[s.Name], top)
				}
			}
		}
		if o := t.mustRead(ctx, t.source, req, "field-selection"); o != nil {
			t.judgeFields(o, allowed)
		}
	}
	if !judged {
		t.skip("no row has two fields besides those that are always sent")
	}
}

// moreFields returns the fields that some row of a stream has, except those that are always sent.
func (t *trial) moreFields(s *stream, always []string) []string {
	fields := map[string]bool{}
	for at, of := range t.rows {
		if at.stream != s.Name {
			continue
		}
		for _, data := range of {
			object, _ := decoded([]byte(data)).(map[string]any)
			for name := range object {
				fields[name] = true
			}
		}
	}
	maps.DeleteFunc(fields, func(name string, _ bool) bool { return slices.Contains(always, name) || strings.Contains(name, ".") })
	return slices.Sorted(maps.Keys(fields))
}

func (t *trial) judgeFields(o *outcome, allowed map[string][]string) {
	for _, m := range o.messages {
		batch, ok := m.(*connector.RecordBatch)
		if !ok || allowed[batch.Stream] == nil {
			continue
		}
		for _, record := range batch.Records {
			object, _ := decoded([]byte(record.Data)).(map[string]any)
			for name := range object {
				if !slices.Contains(allowed[batch.Stream], name) {
					t.broke("field-selection", "%s sent %q, but only %v were requested", batch.Stream, name, allowed[batch.Stream])
				}
			}
			cursor := t.stream(batch.Stream).CursorField
			if record.Operation == connector.Upsert && cursor != "" && lookup(object, cursor) == nil {
				t.broke("field-selection", "%s omitted its cursor %s", batch.Stream, cursor)
			}
		}
	}
}

// checkSkipped reads with a configuration that makes the source skip a stream.
func checkSkipped(ctx context.Context, t *trial) {
	refused := t.options.Refused
	if refused == nil {
		t.skip("the options name no refused stream")
		return
	}
	for _, mode := range t.modes() {
		req := t.request(mode)
		good := t.mustRead(ctx, t.source, req, "skipped-generation")
		if good == nil {
			return
		}
		req.Config = refused.Config
		for _, states := range [][]connector.StreamState{nil, good.states()} {
			req.States = states
			var before *connector.StreamSummary
			for range 2 {
				s := t.skipped(ctx, req)
				if s == nil {
					return
				}
				if before != nil && before.Generation != s.Generation {
					t.broke("skipped-generation", "%s was skipped twice, with generations %d and %d", s.Stream, before.Generation, s.Generation)
				}
				before = s
			}
			if was := summaryOf(good, refused.Stream); states != nil && before.Generation != was.Generation {
				t.broke("skipped-generation", "%s was skipped with a state of generation %d, but has generation %d", was.Stream, was.Generation, before.Generation)
			}
		}
	}
}

// skipped performs a Read in which the refused stream is skipped, or incomplete if it has a state, and all others are complete.
// It returns the stream's summary.
func (t *trial) skipped(ctx context.Context, req connector.ReadRequest) *connector.StreamSummary {
	o := t.read(ctx, t.fresh(), req, nil)
	if o.hung || o.err != nil || o.panicked != nil {
		t.broke("skipped-generation", "a Read that should skip %s ended with %v", t.options.Refused.Stream, o.err)
		return nil
	}
	for _, s := range o.summary.Streams {
		want := connector.Complete
		if s.Stream == t.options.Refused.Stream {
			want = connector.Skipped
			if len(req.States) > 0 {
				want = connector.Incomplete
			}
			if s.Status == connector.Complete && len(req.States) > 0 {
				return nil // it learned of changes by a way that is open to it
			}
		}
		if s.Status != want {
			t.broke("skipped-generation", "in a Read that should skip %s, %s", t.options.Refused.Stream, fmt.Sprintf("%s is %s: %s", s.Stream, s.Status, failureText(s.Failure)))
			return nil
		}
	}
	return summaryOf(o, t.options.Refused.Stream)
}

func summaryOf(o *outcome, stream string) *connector.StreamSummary {
	for i := range o.summary.Streams {
		if o.summary.Streams[i].Stream == stream {
			return &o.summary.Streams[i]
		}
	}
	return &connector.StreamSummary{Stream: stream}
}
