package destinationtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// compare compares stored rows with records: equal ones, a changed one, one with another value that has no column, one of another
// account, and one whose row was deleted.
func compare(t *testing.T, s Subject, mode Mode) {
	h := newHistory(t, s, mode)
	defer h.close()
	d, ok := h.d.(client.Verifier)
	if !ok {
		t.Skip("it is no Verifier")
	}
	batch := func(account string, operation connectorv1.Operation, records ...string) *connectorv1.RecordBatch {
		b := &connectorv1.RecordBatch{Stream: "charges", Account: account, Generation: 1}
		for _, data := range records {
			b.Records = append(b.Records, &connectorv1.Record{Data: data, Operation: operation})
		}
		return b
	}
	const upsert, remove = connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE
	null := `{"id":"n","n":null,"nest":null}`
	if err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{
		batch("", upsert, Data("a", "p", 1), Data("b", "p", 1), Data("c", "p", 1), Data("d", "p", 1), null), batch("acct_1", upsert, Data("a", "p", 2)),
		batch("", remove, `{"id":"d"}`),
	}}); err != nil {
		t.Fatal(err)
	}
	unseen := `{"id":"c","n":1,"name":"it's \"1\"","nest":{"a":[1]},"parent":"p","unseen":"2"}`
	got, err := d.Compare(t.Context(), batch("", upsert, Data("a", "p", 1), Data("b", "p", 2), unseen, Data("d", "p", 1), Data("e", "p", 1), null))
	if mode == Keep {
		if err == nil {
			t.Error("all versions of an object can't be compared")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := []client.Comparison{{Key: "a", Match: client.Same}, {Key: "b", Match: client.Different}, {Key: "c", Match: client.Different},
		{Key: "d", Match: client.Missing}, {Key: "e", Match: client.Missing}, {Key: "n", Match: client.Same}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comparisons (-want +got):\n%s", diff)
	}
	if got, err = d.Compare(t.Context(), batch("acct_1", upsert, Data("a", "p", 1), Data("a", "p", 2))); err != nil {
		t.Fatal(err)
	}
	want = []client.Comparison{{Key: "a of acct_1", Match: client.Different}, {Key: "a of acct_1", Match: client.Same}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("comparisons (-want +got):\n%s", diff)
	}
	if n, err := d.Count(t.Context(), "charges"); err != nil || n != 5 {
		t.Errorf("%d rows, %v, want 5", n, err)
	}
}
