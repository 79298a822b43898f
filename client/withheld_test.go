package client_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// drift returns a drift in which one record has each of the new fields.
func drift(examined int64, absent []string, fields ...string) *connectorv1.Drift {
	d := &connectorv1.Drift{Examined: examined, AbsentFields: absent}
	for _, name := range fields {
		d.NewFields = append(d.NewFields, &connectorv1.NewField{Path: name, Records: 1})
	}
	return d
}

// TestSyncReportsMissingObjects syncs in two Reads into a destination that can't delete by parent, from a service that
// withholds such records, sets objects aside, and finds new fields.
func TestSyncReportsMissingObjects(t *testing.T) {
	accepts := []connectorv1.Operation{connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE}
	first := []*connectorv1.SetAside{{Key: "ch_1"}, {Key: "ch_2"}}
	f := &fakeService{
		streams: []string{"a"}, records: 20, page: 10,
		drains: func(read int, _ string) bool { return read == 1 },
		adorn: func(read int, s *connectorv1.StreamSummary) {
			s.Withheld, s.SetAside, s.SetAsideTotal = 3, first, 2
			s.Drift = drift(4, []string{"x", "y"}, "b", "a.c")
			if read > 1 {
				s.Withheld, s.SetAside, s.SetAsideTotal = 4, first[1:], 1
				s.Drift = drift(10, []string{"y", "z"}, "a.c", "d")
			}
		},
	}
	m := newMemory()
	m.accepts = accepts
	report, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: m, Wait: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.reads) < 2 {
		t.Fatalf("%d Reads", len(f.reads))
	}
	for _, read := range f.reads {
		if diff := cmp.Diff(accepts, read.GetAcceptedOperations()); diff != "" {
			t.Errorf("accepted operations (-want +got):\n%s", diff)
		}
	}
	got := report.Streams[0]
	if withheld := int64(3 + 4*(len(f.reads)-1)); got.Withheld != withheld || report.Total().Withheld != withheld {
		t.Errorf("%d withheld, want %d: those of all Reads", got.Withheld, withheld)
	}
	if diff := cmp.Diff(first[1:], got.SetAside, protocmp.Transform()); diff != "" || got.SetAsideTotal != 1 || report.Total().SetAsideTotal != 1 {
		t.Errorf("set aside %d (-want +got): %s; want those of the last Read", got.SetAsideTotal, diff)
	}
	reads := int64(len(f.reads))
	want := drift(4+10*(reads-1), []string{"y"}, "a.c", "b", "d")
	want.NewFields[0].Records, want.NewFields[2].Records = reads, reads-1
	if diff := cmp.Diff(want, got.Drift, protocmp.Transform()); diff != "" {
		t.Errorf("drift (-want +got): %s; want that of all Reads", diff)
	}
}
