package connectortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
)

// summary compares a summary with the messages that the sink took.
func (r *referee) summary(got connector.Summary) {
	if errors.Is(r.failed, errPanic) {
		return // reported elsewhere
	}
	if r.failed != nil {
		r.t.broke("sink-error", "the sink failed with %q, and Read returned a summary and no error", r.failed)
		return
	}
	var requested, reported []string
	for _, s := range r.req.Streams {
		requested = append(requested, s.Stream)
	}
	more := false
	for _, s := range got.Streams {
		if !slices.Contains(reported, s.Stream) { // else of another account
			reported = append(reported, s.Stream)
		}
		more = more || s.Status == connector.Incomplete
		r.streamSummary(s)
	}
	if diff := cmp.Diff(requested, reported); diff != "" {
		r.t.broke("summary", "the summary's streams are not those of the request, in its order (-asked +reported):\n%s", diff)
	}
	if more != got.HasMore {
		r.t.broke("has-more", "HasMore is %v, but a stream is incomplete: %v", got.HasMore, more)
	}
}

func (r *referee) streamSummary(got connector.StreamSummary) {
	at := part{got.Stream, got.Account}
	p := r.of(got.Stream, got.Account)
	if p.status < connector.Complete {
		r.t.broke("status-order", "the Read ended normally, but the last status of %s was %s", got.Stream, p.status)
		return
	}
	want := connector.StreamSummary{
		Stream: got.Stream, Account: got.Account, Status: p.status,
		Upserts: p.counts.Upserts, Deletes: p.counts.Deletes, DeletesMatching: p.counts.DeletesMatching, Bytes: p.counts.Bytes,
		Generation: p.generation,
	}
	compared := connector.StreamSummary{
		Stream: got.Stream, Account: got.Account, Status: got.Status,
		Upserts: got.Upserts, Deletes: got.Deletes, DeletesMatching: got.DeletesMatching, Bytes: got.Bytes,
		Generation: got.Generation,
	}
	if diff := cmp.Diff(want, compared); diff != "" {
		r.t.broke("summary", "the summary of %s (-messages +summary):\n%s", got.Stream, diff)
	}
	if (got.Failure == nil) != (p.failure == nil) {
		r.t.broke("summary", "the summary of %s has failure %s, but its status had %s", got.Stream, failureText(got.Failure), failureText(p.failure))
	}
	state := p.state
	if state == nil {
		state = r.given[at]
	}
	if !sameJSON(state, got.State) {
		r.t.broke("summary", "the final state of %s is %.200s, but the last one sent or received is %.200s", got.Stream, got.State, state)
	}
	if len(r.req.AcceptedOperations) == 0 && got.Withheld != 0 {
		r.t.broke("withheld", "%d records of %s were withheld from a caller that accepts all operations", got.Withheld, got.Stream)
	}
}

// sameJSON reports whether two texts are the same JSON value. An empty text equals null.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	return cmp.Equal(decoded(a), decoded(b))
}

func decoded(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil
	}
	return v
}
