package client_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// syncFields syncs stream a with the given fields. It returns the number of the record from which the service
// resumed, and the logged messages.
func syncFields(t *testing.T, f *fakeService, m *memory, opts client.SyncOptions, fields ...string) (from int, logged string) {
	t.Helper()
	opts.Destination = m
	if len(fields) > 0 {
		opts.Selection.Fields = map[string][]string{"a": fields}
	}
	opts.Observe = func(_ context.Context, m *connectorv1.ReadResponse) { logged += m.GetLog().GetMessage() }
	before := len(f.reads)
	if _, err := connect(t, f).Sync(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	for _, s := range f.reads[before].GetStates() {
		if len(s.GetContent().GetFields()) != 1 {
			t.Errorf("the service got back a state that it did not send: %v", s)
		}
		from = int(s.GetContent().GetFields()["next"].GetNumberValue())
	}
	return from, logged
}

func TestWidenedSelectionIsReread(t *testing.T) {
	tests := map[string]struct {
		before, after []string
		from          int
		logged        string
	}{
		"the same":          {[]string{"id", "n"}, []string{"n", "id"}, 20, ""},
		"all":               {nil, nil, 20, ""},
		"narrower":          {[]string{"id", "n"}, []string{"id"}, 20, ""},
		"some of all":       {nil, []string{"id"}, 20, ""},
		"the key":           {[]string{"n"}, []string{"n", "id"}, 20, ""},
		"a field more":      {[]string{"id"}, []string{"id", "n"}, 0, "lack n, which is now selected"},
		"all of some":       {[]string{"id"}, nil, 0, "lack some fields"},
		"a field below one": {[]string{"n"}, []string{"n.a"}, 20, ""},
		"the field above":   {[]string{"n.a"}, []string{"n"}, 0, "lack n,"},
		"one beside it":     {[]string{"n.a"}, []string{"n.ab"}, 0, "lack n.ab,"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, m := &fakeService{streams: []string{"a"}, records: 20, page: 10}, newMemory()
			syncFields(t, f, m, client.SyncOptions{}, test.before...)
			f.records = 30
			from, logged := syncFields(t, f, m, client.SyncOptions{}, test.after...)
			if from != test.from || (logged == "") != (test.logged == "") || !strings.Contains(logged, test.logged) {
				t.Errorf("read from %d, and logged %q: want %d and %q", from, logged, test.from, test.logged)
			}
			if from, _ := syncFields(t, f, m, client.SyncOptions{}, test.after...); from != 30 {
				t.Errorf("the sync after it read from %d, want 30", from)
			}
		})
	}
}

// TestNarrowedSelectionIsRemembered narrows a selection and widens it again. The rows loaded in between lack fields,
// so the stream must be re-read.
func TestNarrowedSelectionIsRemembered(t *testing.T) {
	f, m := &fakeService{streams: []string{"a"}, records: 20, page: 10}, newMemory()
	syncFields(t, f, m, client.SyncOptions{})
	f.records = 30
	syncFields(t, f, m, client.SyncOptions{}, "id")
	if from, logged := syncFields(t, f, m, client.SyncOptions{}); from != 0 || logged == "" {
		t.Errorf("read from %d, and logged %q", from, logged)
	}
}

func TestReread(t *testing.T) {
	f, m := &fakeService{streams: []string{"a"}, records: 20, page: 10}, newMemory()
	if from, _ := syncFields(t, f, m, client.SyncOptions{Reread: true}); from != 0 {
		t.Errorf("the first sync read from %d", from)
	}
	f.records = 30
	// A re-read that fails before its first state must not be forgotten.
	f.before = func(int, string, int) error { return statusOf(3, &connectorv1.Failure{Message: "broken"}) }
	opts := client.SyncOptions{Destination: m, Reread: true}
	if _, err := connect(t, f).Sync(t.Context(), opts); err == nil {
		t.Fatal("got no error")
	}
	f.before = nil
	from, logged := syncFields(t, f, m, client.SyncOptions{})
	if from != 0 || !strings.Contains(logged, "re-read was requested") {
		t.Errorf("read from %d, and logged %q", from, logged)
	}
	wantRows(t, m, "a", 30)
	if from, _ := syncFields(t, f, m, client.SyncOptions{}); from != 30 {
		t.Errorf("the sync after it read from %d, want 30", from)
	}
}
