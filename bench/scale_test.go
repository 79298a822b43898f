package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestKilledReplica kills a replica in the middle of a Read, which another must then resume.
func TestKilledReplica(t *testing.T) {
	b := testBench(t)
	stripe, err := b.simulate(t.Context(), world{Objects: map[string]int{"*": 0, "/v1/charges": 20}, Accounts: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer stripe.stop()
	var accounts []string
	if err := stripe.do("accounts", struct{}{}, &accounts); err != nil {
		t.Fatal(err)
	}
	f, err := b.newFleet(t.Context(), stripe, accounts, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer f.stop()
	got, err := f.firstSyncs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.killed.IsZero() {
		t.Fatal("no replica died")
	}
	for _, s := range got.syncs {
		if s.records < 20 || s.requests < int64(s.reads) || s.ended.Before(s.due) {
			t.Errorf("a sync of 20 charges: %+v", s)
		}
	}
	if _, err := got.interruption(); err != nil {
		t.Error(err)
	}
}

func TestInterruption(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	all := syncResults{killed: at(20), syncs: []syncResult{
		{due: at(10), ended: at(12), reads: 1, records: 100, requests: 5},
		{due: at(11), ended: at(14), reads: 1, records: 100, requests: 5},
		{due: at(12), ended: at(16), reads: 1, records: 100, requests: 5},
		{due: at(18), ended: at(25), reads: 2, records: 130, requests: 8},
		{due: at(19), ended: at(24), reads: 3, records: 101, requests: 7},
	}}
	got, err := all.interruption()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2", "5", "31", "4.0 s", "5.0 s"}, got); diff != "" {
		t.Error(diff)
	}
	all.syncs = all.syncs[:3]
	if got, err := all.interruption(); err == nil {
		t.Errorf("without an interrupted Read: %q", got)
	}
}
