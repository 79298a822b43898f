package destinationtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// parents sends OPERATION_DELETE_MATCHING among other records, in one commit and in many.
func parents(t *testing.T, s Subject, mode Mode) {
	put := func(id, parent string) step { return step{kind: upsert, id: id, parent: parent, generation: 1} }
	all := func(parent string) step { return step{kind: replace, parent: parent, generation: 1} }
	a, b, other := put("a", "p"), put("b", "p"), put("c", "q")
	tests := map[string]struct {
		steps []step
		left  []string // ids of the rows that remain, in their newest version
	}{
		"older rows":        {[]step{a, b, other, all("p")}, []string{"c"}},
		"coming back":       {[]step{a, b, other, all("p"), b}, []string{"b", "c"}},
		"twice":             {[]step{a, all("p"), a, b, all("p"), b}, []string{"b"}},
		"twice in a row":    {[]step{a, b, all("p"), all("p"), a}, []string{"a"}},
		"moved away before": {[]step{a, b, put("a", "q"), all("p")}, []string{"a"}},
		"moved there":       {[]step{put("a", "q"), a, b, all("p")}, nil},
		"moved away after":  {[]step{a, b, all("p"), put("a", "q"), all("q"), b}, []string{"b"}},
		"then deleted":      {[]step{a, b, all("p"), a, b, {kind: remove, id: "a", generation: 1}}, []string{"b"}},
		"deleted before":    {[]step{a, b, {kind: remove, id: "a", generation: 1}, all("p"), b}, []string{"b"}},
		"nothing there":     {[]step{all("p"), other}, []string{"c"}},
		"odd parents":       {[]step{put("a", `it's "p"`), put("b", ""), other, all(`it's "p"`), all("")}, []string{"c"}},
	}
	for name, test := range tests {
		for commits, size := range map[string]int{"one commit": len(test.steps), "many commits": 1} {
			t.Run(name+", "+commits, func(t *testing.T) {
				place := s.New(t)
				d, err := s.Open(place, mode)
				if err != nil {
					t.Fatal(err)
				}
				streams := Streams()
				if _, err := d.Begin(t.Context(), streams); err != nil {
					t.Fatal(err)
				}
				stream := streams[0].GetName()
				// The rows of another account have the same ids and parents, and must stay.
				untouched := &lane{stream: stream, account: "acct_1", steps: []step{a, b, other}}
				touched := &lane{stream: stream, steps: test.steps}
				for _, l := range []*lane{untouched, touched} {
					for l.next < len(l.steps) {
						batch := &connectorv1.RecordBatch{Stream: l.stream, Account: l.account, Generation: 1}
						for range min(size, len(l.steps)-l.next) {
							batch.Records = append(batch.Records, l.record())
						}
						l.commits = append(l.commits, l.next)
						if err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{batch}}); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				rows, err := s.Rows(place, mode)
				if err != nil {
					t.Fatal(err)
				}
				got := named(rows, mode)
				if diff := cmp.Diff(want([]*lane{untouched, touched}, mode), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for _, id := range test.left {
					versions := got[Key(stream, "", id)]
					if len(versions) == 0 || versions[len(versions)-1][0] != '{' {
						t.Errorf("%s has the versions %q, want it to exist", id, versions)
					}
				}
			})
		}
	}
	t.Run("refused", func(t *testing.T) { refused(t, s, mode) })
}

// refused sends invalid OPERATION_DELETE_MATCHING records, and expects an error and every row still there.
func refused(t *testing.T, s Subject, mode Mode) {
	tests := map[string]string{"no field": `{}`}
	if s.Extra != nil { // the destination has columns
		tests["another field"], tests["two fields"], tests["null"] = `{"name":"x"}`, `{"parent":"p","id":"a"}`, `{"parent":null}`
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			place := s.New(t)
			d, err := s.Open(place, mode)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Begin(t.Context(), Streams()); err != nil {
				t.Fatal(err)
			}
			l := &lane{stream: "charges", steps: []step{{id: "a", parent: "p", generation: 1}}, commits: []int{1}}
			batch := &connectorv1.RecordBatch{Stream: l.stream, Generation: 1, Records: []*connectorv1.Record{l.record()}}
			if err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{batch}}); err != nil {
				t.Fatal(err)
			}
			batch.Records = []*connectorv1.Record{{Operation: connectorv1.Operation_OPERATION_DELETE_MATCHING, Data: data}}
			if err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{batch}}); err == nil {
				t.Error("it was not refused")
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			rows, err := s.Rows(place, mode)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want([]*lane{l}, mode), named(rows, mode)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
