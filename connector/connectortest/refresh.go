package connectortest

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
)

// checkFullRefresh reads everything and compares it with the truth.
func checkFullRefresh(ctx context.Context, t *trial) {
	req := t.request(connector.FullRefresh)
	if len(req.Streams) == 0 {
		t.skip("no stream supports FULL_REFRESH")
		return
	}
	o := t.mustRead(ctx, t.source, req, "full-refresh")
	if o == nil || t.failed() { // what is wrong with the records makes their rows wrong, too
		return
	}
	r := newReplica(t, false)
	r.store(o.messages)
	t.rows = r.rows()
	truth, err := t.truth(ctx)
	if err != nil {
		t.broke("full-refresh", "the truth is unknown: %v", err)
		return
	}
	if d := t.rows.compare(truth.only(req)); !d.isEmpty() {
		t.broke("full-refresh", "%s", d)
	}
	if !t.failed() {
		t.judgeParents()
	}
}

// judgeParents compares the parent fields of all rows with the keys of the parents.
func (t *trial) judgeParents() {
	for at, of := range t.rows {
		s := t.stream(at.stream)
		parents, ok := t.rows[part{s.Parent, at.account}]
		if s.Parent == "" || !ok || len(t.stream(s.Parent).PrimaryKey) != 1 {
			continue
		}
		for key, data := range of {
			parent := fmt.Sprint(lookup(decoded([]byte(data)), s.ParentField))
			if _, ok := parents[parent]; !ok {
				t.broke("parent-field", "%s %s has the parent %q in %s, but there is no such row in %s", s.Name, key, parent, s.ParentField, s.Parent)
			}
		}
	}
}

// truth returns the rows that should exist now, according to the options or to a full refresh.
func (t *trial) truth(ctx context.Context) (rows, error) {
	if t.options.Truth != nil {
		all, err := t.options.Truth()
		if err != nil {
			return nil, err
		}
		truth := rows{}
		for stream, of := range all {
			truth[part{stream: stream}] = of
		}
		return truth, nil
	}
	req := t.request(connector.FullRefresh)
	o := t.read(ctx, t.fresh(), req, nil)
	if o.err != nil {
		return nil, o.err
	}
	r := newReplica(t, false)
	r.store(o.messages)
	return r.rows(), nil
}

// checkGenerations refreshes streams again, with and without the states of the refresh before.
func checkGenerations(ctx context.Context, t *trial) {
	req := t.request(connector.FullRefresh)
	if len(req.Streams) == 0 {
		t.skip("no stream supports FULL_REFRESH")
		return
	}
	r := newReplica(t, false)
	var before *outcome
	for _, how := range []string{"at first", "without a state", "with the final states of the previous one"} {
		req.States = nil
		if before != nil && how != "without a state" {
			req.States = before.states()
		}
		o := t.mustRead(ctx, t.fresh(), req, "full-refresh")
		if o == nil {
			return
		}
		r.store(o.messages)
		if d := r.rows().compare(t.rows.only(req)); !d.isEmpty() {
			t.broke("full-refresh", "a refresh %s: %s", how, d)
		}
		if before != nil {
			t.judgeGrowth(before.summary, o.summary, how)
		}
		before = o
	}
}

func (t *trial) judgeGrowth(before, after connector.Summary, how string) {
	for i := range min(len(before.Streams), len(after.Streams)) {
		was, is := before.Streams[i], after.Streams[i]
		if is.Generation <= was.Generation && !slices.Contains(t.options.AppendOnly, is.Stream) {
			t.broke("generation", "%s was re-read from the beginning, %s, but its generation went from %d to %d", is.Stream, how, was.Generation, is.Generation)
		}
	}
}

// checkIncremental syncs while the data changes.
func checkIncremental(ctx context.Context, t *trial) {
	req := t.request(connector.Incremental)
	if len(req.Streams) == 0 {
		t.skip("no stream supports INCREMENTAL")
		return
	}
	r := newReplica(t, false)
	if !t.sync(ctx, r, req, "the first sync") {
		return
	}
	t.judgeIdle(ctx, r, req)
	if t.options.Mutate == nil {
		return
	}
	defer t.refreshRows(ctx)
	stale := r.clone()
	for range 2 {
		if err := t.options.Mutate(); err != nil {
			t.broke("incremental", "the data could not be changed: %v", err)
			return
		}
		if !t.sync(ctx, r, req, "after a change") {
			return
		}
	}
	t.stopSyncs(ctx, stale, req)
}

// refreshRows records the rows of a full refresh, after the data has changed.
func (t *trial) refreshRows(ctx context.Context) {
	req := t.request(connector.FullRefresh)
	if o := t.read(ctx, t.source, req, nil); o.err == nil {
		r := newReplica(t, false)
		r.store(o.messages)
		t.rows = r.rows()
	}
}

// sync reads what changed into a replica, compares it with the truth, and reports whether the Read succeeded.
func (t *trial) sync(ctx context.Context, r *replica, req connector.ReadRequest, when string) bool {
	resumed, _ := r.resume(req, false)
	o := t.mustRead(ctx, t.fresh(), resumed, "incremental")
	if o == nil {
		return false
	}
	r.store(o.messages)
	truth, err := t.truth(ctx)
	if err != nil {
		t.broke("full-refresh", "the truth is unknown: %v", err)
		return false
	}
	if d := r.rows().compare(truth.only(req)); !d.isEmpty() {
		t.broke("incremental", "%s: %s", when, d)
		return false
	}
	return true
}

// judgeIdle syncs when nothing has changed: streams that detect changes must read little.
func (t *trial) judgeIdle(ctx context.Context, r *replica, req connector.ReadRequest) {
	resumed, _ := r.resume(req, false)
	o := t.mustRead(ctx, t.fresh(), resumed, "incremental")
	if o == nil {
		return
	}
	counts := map[string]int{}
	for _, m := range o.messages {
		if batch, ok := m.(*connector.RecordBatch); ok {
			counts[batch.Stream] += len(batch.Records)
		}
	}
	for at, of := range r.rows() {
		if t.stream(at.stream).Freshness == connector.ByEvents && len(of) > 1 && counts[at.stream] >= len(of) {
			t.broke("incremental", "nothing changed, but %s resent %d records of %d rows", at.stream, counts[at.stream], len(of))
		}
	}
	r.store(o.messages)
}

// stopSyncs syncs from states that are some changes behind, and stops before each message.
func (t *trial) stopSyncs(ctx context.Context, stale *replica, req connector.ReadRequest) {
	truth, err := t.truth(ctx)
	if err != nil {
		t.broke("full-refresh", "the truth is unknown: %v", err)
		return
	}
	resumed, _ := stale.resume(req, false)
	t.stopAnywhere(ctx, stale, resumed, truth.only(req))
}

// stopAnywhere performs a Read that stops before a message, for each message, and resumes it elsewhere. The rows end up as
// wanted: both where records are stored only with a state, and where they are stored at once.
func (t *trial) stopAnywhere(ctx context.Context, start *replica, req connector.ReadRequest, want rows) {
	whole := t.mustRead(ctx, t.fresh(), req, "invariant")
	if whole == nil {
		return
	}
	for _, k := range t.stops(len(whole.messages)) {
		careful, eager := start.clone(), start.clone()
		eager.eager = true
		first := t.read(ctx, t.source, req, stopBefore(k))
		for _, r := range []*replica{careful, eager} {
			r.store(first.messages)
			rest, more := r.resume(req, false)
			if more {
				o := t.mustRead(ctx, t.fresh(), rest, "invariant")
				if o == nil {
					return
				}
				r.store(o.messages)
			}
			t.reportDifference(r, want, fmt.Sprintf("stopped before message %d and resumed", k+1))
		}
		if t.failed() {
			return
		}
	}
}

// reportDifference compares the rows of a sync that was resumed with those wanted, and names the promise that explains the
// difference.
func (t *trial) reportDifference(r *replica, want rows, how string) {
	d := r.rows().compare(want)
	switch {
	case d.isEmpty():
	case len(d.missing) > 0 && !slices.ContainsFunc(d.missing, func(name string) bool { return !r.outdated[name] }):
		t.broke("generation", "%s, a stream continued in a new generation without re-reading everything: %s", how, d)
	case len(d.missing) > 0:
		t.broke("invariant", "%s: %s", how, d)
	default:
		t.broke("repeatable", "%s: %s", how, d)
	}
}
