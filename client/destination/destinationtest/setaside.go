package destinationtest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// setAside makes the destination refuse some rows. Each must be reported and all others stored. Once rows are accepted
// again, the refused ones must be stored too, unless they were deleted meanwhile.
func setAside(t *testing.T, s Subject, mode Mode) {
	for name, refuse := range s.Refuse {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, s, mode)
			h.close()
			refuse(t, h.place)
			h.open()
			var named []string
			commit := func(from, to int) {
				t.Helper()
				named = nil
				h.refused = func(r client.Refusal) { named = append(named, r.Stream+"/"+r.Key) }
				h.commit(1, from, to)
				slices.Sort(named)
			}
			both := []string{"charges/id_c", "charges/id_e"}
			if commit(0, 10); !slices.Equal(named, both) {
				t.Errorf("refused %q, want %q", named, both)
			}
			if commit(0, 4); !slices.Equal(named, both[:1]) { // again, without the other one
				t.Errorf("refused %q, want %q", named, both[:1])
			}
			h.close()
			h.open()
			wantRefused(t, h.begun, both)
			if len(h.begun.States) != 2 {
				t.Errorf("states are %v, want both", h.states())
			}
			gone := &connectorv1.Record{Data: `{"id":"id_e"}`, Operation: connectorv1.Operation_OPERATION_DELETE}
			if err := h.d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{
				{Stream: "charges", Generation: 1, Records: []*connectorv1.Record{gone}}}}); err != nil {
				t.Fatal(err)
			}
			h.close()
			s.Accept(t, h.place)
			h.open()
			wantRefused(t, h.begun, nil)
			h.begin() // nothing changes once all are stored
			wantRefused(t, h.begun, nil)
			h.close()
			rows, err := s.Rows(h.place, mode)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range rows {
				if r.Stream == "charges" && !r.Deleted {
					ids = append(ids, r.ID)
				}
			}
			slices.Sort(ids)
			if diff := cmp.Diff([]string{"id_a", "id_b", "id_c", "id_d", "id_f", "id_g", "id_h", "id_i", "id_j"}, ids); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func wantRefused(t *testing.T, begun client.BeginResult, want []string) {
	t.Helper()
	var got []string
	for _, r := range begun.Refused {
		got = append(got, r.Stream+"/"+r.Key)
		if r.Reason == "" {
			t.Errorf("no reason is given for %s", r.Key)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("still refused %q, want %q", got, want)
	}
}
