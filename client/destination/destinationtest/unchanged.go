package destinationtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// unchanged sends the same objects again: in another commit, in the same commit, and in a new generation. No object may
// get a new version, and the end of the generation may not remove any.
func unchanged(t *testing.T, s Subject) {
	h := newHistory(t, s, Keep)
	send := func(generation int64, completed bool, records ...string) {
		t.Helper()
		batch := &connectorv1.RecordBatch{Stream: "charges", Generation: generation}
		for _, data := range records {
			r := &connectorv1.Record{Data: data, Operation: connectorv1.Operation_OPERATION_UPSERT}
			if data[0] == '-' {
				r.Data, r.Operation = data[1:], connectorv1.Operation_OPERATION_DELETE
			}
			batch.Records = append(batch.Records, r)
		}
		c := client.Commit{Records: []*connectorv1.RecordBatch{batch}}
		if completed {
			c.Completed = []client.Completion{{Stream: "charges", Generation: generation}}
		}
		if err := h.d.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	a, b, c := Data("a", "p", 1), Data("b", "p", 1), Data("c", "p", 1)
	send(1, true, a, b, c)
	send(1, false, a, a, Data("b", "p", 2), b, `-{"id":"c"}`)
	send(2, false, a, a)
	send(3, false, a, `-{"id":"c"}`, b)
	send(3, true)
	send(4, false, a, Data("b", "p", 2))
	send(4, true)
	h.close()
	rows, err := s.Rows(h.place, Keep)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		Key("charges", "", "a"): {a},
		Key("charges", "", "b"): {b, Data("b", "p", 2), b, Data("b", "p", 2)},
		Key("charges", "", "c"): {c, "deleted "},
	}
	if diff := cmp.Diff(want, named(rows, Keep)); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}
