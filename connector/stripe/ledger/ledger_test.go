package ledger_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
)

const start = int64(1_700_000_000)

// events returns n events of one second. Events with different names differ.
func events(name string, at int64, n int) []ledger.Event {
	all := make([]ledger.Event, n)
	for i := range all {
		all[i] = ledger.Event{ID: fmt.Sprintf("evt_%s_%d_%d", name, at, i), At: at}
	}
	return all
}

// look records a listing of everything since start in a ledger, and returns the ids of the new events.
func look(l *ledger.Ledger, now, overlap int64, found ...[]ledger.Event) []string {
	return lookAt(l, ledger.Look{Range: ledger.Range{From: start, Until: now}, At: now}, overlap, found...)
}

func lookAt(l *ledger.Ledger, at ledger.Look, overlap int64, found ...[]ledger.Event) []string {
	var all []ledger.Event
	for _, f := range found {
		all = append(all, f...)
	}
	var ids []string
	for i, news := range l.Observe(at, all) {
		if news {
			ids = append(ids, all[i].ID)
		}
	}
	l.Advance(at, overlap)
	return ids
}

func idsOf(found ...[]ledger.Event) []string {
	var ids []string
	for _, f := range found {
		for _, e := range f {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func TestObserve(t *testing.T) {
	second := start + 5
	tests := map[string]struct {
		before, after [][]ledger.Event
		want          [][]ledger.Event // after a resume; by default the events in after but not in before
		exact         [][]ledger.Event
	}{
		"nothing new": {
			before: [][]ledger.Event{events("a", second, 1000)}, after: [][]ledger.Event{events("a", second, 1000)},
		},
		"one among 3000": {
			before: [][]ledger.Event{events("a", second, 3000)}, after: [][]ledger.Event{events("late", second, 1), events("a", second, 3000)},
			want: [][]ledger.Event{events("late", second, 1)}, exact: [][]ledger.Event{events("late", second, 1)},
		},
		"two among 3000": {
			before: [][]ledger.Event{events("a", second, 3000)}, after: [][]ledger.Event{events("late", second, 2), events("a", second, 3000)},
			want: [][]ledger.Event{events("late", second, 2)}, exact: [][]ledger.Event{events("late", second, 2)},
		},
		"six of twelve": {
			before: [][]ledger.Event{events("a", second, 6)}, after: [][]ledger.Event{events("late", second, 6), events("a", second, 6)},
			want: [][]ledger.Event{events("late", second, 6)}, exact: [][]ledger.Event{events("late", second, 6)},
		},
		"all but two of many": {
			before: [][]ledger.Event{events("a", second, 2)}, after: [][]ledger.Event{events("late", second, 500), events("a", second, 2)},
			want: [][]ledger.Event{events("late", second, 500)}, exact: [][]ledger.Event{events("late", second, 500)},
		},
		"half of a hundred: all again": {
			before: [][]ledger.Event{events("a", second, 50)}, after: [][]ledger.Event{events("late", second, 50), events("a", second, 50)},
			want:  [][]ledger.Event{events("late", second, 50), events("a", second, 50)},
			exact: [][]ledger.Event{events("late", second, 50)},
		},
		"thirty of a hundred and thirty": {
			before: [][]ledger.Event{events("a", second, 100)}, after: [][]ledger.Event{events("late", second, 30), events("a", second, 100)},
			want: [][]ledger.Event{events("late", second, 30)}, exact: [][]ledger.Event{events("late", second, 30)},
		},
		"one is no longer listed: all again": {
			before: [][]ledger.Event{events("a", second, 10)}, after: [][]ledger.Event{events("a", second, 9)},
			want: [][]ledger.Event{events("a", second, 9)},
		},
		"one is replaced by another: all again": {
			before: [][]ledger.Event{events("a", second, 10)}, after: [][]ledger.Event{events("a", second, 9), events("late", second, 1)},
			want:  [][]ledger.Event{events("a", second, 9), events("late", second, 1)},
			exact: [][]ledger.Event{events("late", second, 1)},
		},
		"other seconds are not concerned": {
			before: [][]ledger.Event{events("a", second, 50), events("a", second+1, 50)},
			after:  [][]ledger.Event{events("b", second, 50), events("a", second+1, 50)},
			want:   [][]ledger.Event{events("b", second, 50)}, exact: [][]ledger.Event{events("b", second, 50)},
		},
		"a second mention": {
			after: [][]ledger.Event{events("a", second, 2), events("a", second, 2)},
			want:  [][]ledger.Event{events("a", second, 2)}, exact: [][]ledger.Event{events("a", second, 2)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := ledger.New(start)
			if diff := cmp.Diff(idsOf(test.before...), look(l, start+10, 300, test.before...)); diff != "" {
				t.Errorf("first (-want +got):\n%s", diff)
			}
			resumed := l.Clone()
			if diff := cmp.Diff(idsOf(test.want...), look(resumed, start+20, 300, test.after...)); diff != "" {
				t.Errorf("resumed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(idsOf(test.exact...), look(l, start+20, 300, test.after...)); diff != "" {
				t.Errorf("in memory (-want +got):\n%s", diff)
			}
			for _, l := range []*ledger.Ledger{l, resumed} {
				l = l.Clone()
				look(l, start+20, 300, test.after...) // everything again, where an event is no longer listed
				if again := look(l.Clone(), start+20, 300, test.after...); again != nil {
					t.Errorf("new once more: %v", again)
				}
			}
		})
	}
}

func TestAdvance(t *testing.T) {
	l := ledger.New(start)
	look(l, start+100, 300, events("a", start+5, 1), events("a", start+50, 1))
	if l.From() != start || l.Until() != start+100 {
		t.Errorf("from %d until %d", l.From()-start, l.Until()-start)
	}
	look(l, start+310, 300, events("a", start+5, 1), events("a", start+50, 1))
	if l.From() != start+10 || l.Until() != start+310 {
		t.Errorf("from %d until %d", l.From()-start, l.Until()-start)
	}
	lookAt(l, ledger.Look{Range: ledger.Range{From: start + 300, Until: start + 400}, At: start + 400}, 300)
	if l.From() != start+10 || l.Until() != start+400 {
		t.Errorf("a look at the near past settles nothing: from %d until %d", l.From()-start, l.Until()-start)
	}
	hole := ledger.Look{Range: ledger.Range{From: start + 500, Until: start + 600}, At: start + 600}
	for range 2 {
		if got := lookAt(l, hole, 300, events("a", start+550, 1)); len(got) != 1 || l.Until() != start+400 {
			t.Errorf("%v are new beyond a hole, until %d", got, l.Until()-start)
		}
	}
	if got := lookAt(l, ledger.Look{Range: ledger.Range{From: start, Until: start + 700}, At: start + 700}, 300, events("a", start+5, 1), events("b", start+50, 1)); len(got) != 1 {
		t.Errorf("%v are new, want only the late one that isn't settled", got)
	}
	if l.From() != start+400 {
		t.Errorf("from %d", l.From()-start)
	}
}

func TestDiscard(t *testing.T) {
	l := ledger.New(start)
	at := ledger.Look{Range: ledger.Range{From: start, Until: start + 10}, At: start + 10}
	l.Observe(at, events("a", start+5, 3))
	if saved, _ := json.Marshal(l); strings.Contains(string(saved), "applied") {
		t.Errorf("the state holds what is not applied: %s", saved)
	}
	l.Discard()
	if got := lookAt(l, at, 300, events("a", start+5, 3)); len(got) != 3 {
		t.Errorf("%d are new after a failure", len(got))
	}
}

func TestAwait(t *testing.T) {
	for name, resume := range map[string]func(*ledger.Ledger) *ledger.Ledger{
		"in memory": func(l *ledger.Ledger) *ledger.Ledger { return l },
		"resumed":   (*ledger.Ledger).Clone,
	} {
		t.Run(name, func(t *testing.T) {
			l := ledger.New(start)
			found := events("a", start+5, 3)
			at := ledger.Look{Range: ledger.Range{From: start, Until: start + 10}, At: start + 10}
			l.Observe(at, found)
			l.Await(found[1], start+35)
			l.Await(ledger.Event{ID: "evt_unknown", At: start + 5}, start+15)
			l.Await(ledger.Event{ID: "evt_unknown", At: start + 6}, start+15)
			l.Advance(at, 300)
			l = resume(l)
			if due := l.Due(start + 34); due != nil {
				t.Errorf("%v is due early", due)
			}
			if got := look(l, start+34, 300, found); got != nil {
				t.Errorf("%v are new early", got)
			}
			l = resume(l)
			if diff := cmp.Diff([]ledger.Range{{From: start + 5, Until: start + 6}}, l.Due(start+35)); diff != "" {
				t.Errorf("due (-want +got):\n%s", diff)
			}
			if got := look(l, start+36, 300, found); !slices.Equal(got, []string{found[1].ID}) {
				t.Errorf("%v are new when one is due", got)
			}
			l = resume(l)
			if got := look(l, start+40, 300, found); got != nil || l.Due(start+40) != nil {
				t.Errorf("%v are new afterwards", got)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	hash := func(e ledger.Event) string {
		sum := sha256.Sum256([]byte(e.ID))
		return base64.RawURLEncoding.EncodeToString(sum[:6])
	}
	var seen []string
	old := [][]ledger.Event{events("a", start+5, 20), events("a", start+6, 20), events("a", start+90, 1)}
	for _, e := range append(append(old[0], old[1]...), old[2]...) {
		seen = append(seen, hash(e))
	}
	l, err := ledger.Migrate(start, start+100, seen)
	if err != nil {
		t.Fatal(err)
	}
	near := ledger.Look{Range: ledger.Range{From: start + 80, Until: start + 110}, At: start + 110}
	if diff := cmp.Diff(idsOf(events("late", start+90, 1)), lookAt(l.Clone(), near, 300, old[2], events("late", start+90, 1))); diff != "" {
		t.Errorf("near past (-want +got):\n%s", diff)
	}
	lookAt(l, near, 300, old[2])
	l = l.Clone()
	late := [][]ledger.Event{events("late", start+6, 30), events("new", start+115, 3)}
	if diff := cmp.Diff(idsOf(late...), look(l, start+120, 300, append(old, late...)...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if saved, _ := json.Marshal(l); strings.Contains(string(saved), "seen") {
		t.Errorf("the old hashes are still there: %s", saved)
	}
	if got := look(l.Clone(), start+130, 300, append(old, late...)...); got != nil {
		t.Errorf("%v are new once more", got)
	}
}

// firstEncoding is the JSON of a ledger written by the release before the present encoding. It had applied the events of the
// seconds start, start+10 and so on up to start+390, and the first one of the last second was to be applied again.
const firstEncoding = `{"from":"2023-11-14T22:13:20Z","until":"2023-11-14T22:20:00Z","applied":"AQEQATdzbcta4tsNNcQHXgEQBZuN44t/N0nn6t6BKEgBGSKw/c0OCFl7vE2jJAJ08c4Wc2KEpTim5KkkA+GhRAWbZvw9ubEEvkwBJ68WCcCx4ZN9zStlJAJEy8mii6ayPgB53zkkA//qbXIX0euhKfdblkwBTnIVC96Eko2B/QYjJALru43XH7nD3M4Pu4YkA1p5A5RsFR25nPSS3EwBWZAJIuR0X+I2GijIJAIRtsyskQcT538z2YckA4KYZpWzeJj2q5rkW0wBphMcFsI8ufPnX7IPJAId0NLCEocXtefwKSIkA5IUQPGl8s5UlDXwxEwBElFaDk1qsXqnsSu2JAIEw7Mjh0cF5xiqvakkAxCTMCMC5x4cH2sHoUwBVP85bf1BaoUjuiVFJAIj7aCPvuaHnCkb3mckA3lp413czRbBDJojAUwBiM9dgMrMSk32XoQoJALJvLEBQQSpGRCYYR8kA/3SGzLGVUQ+ysgvjUwBQfWyrsJoWFBTghzJJAL1I+3BnSY0/rGrb4YmA5M2KNZViazYgTRCIzw="}`

// TestFirstEncoding resumes from a state in the first encoding: only events that it didn't apply are new, and those that are to
// be applied again. The state that follows, in the present encoding, knows the same.
func TestFirstEncoding(t *testing.T) {
	l := &ledger.Ledger{}
	if err := json.Unmarshal([]byte(firstEncoding), l); err != nil {
		t.Fatal(err)
	}
	var applied [][]ledger.Event
	for i := range int64(40) {
		applied = append(applied, events("old", start+10*i, int(i%4)))
	}
	for name, l := range map[string]*ledger.Ledger{"as parsed": l.Clone(), "saved again": saved(t, l)} {
		late := events("late", start+190, 1)
		if diff := cmp.Diff(idsOf(late), look(l.Clone(), start+400, 400, append(applied, late)...)); diff != "" {
			t.Errorf("%s, new (-want +got):\n%s", name, diff)
		}
		want := idsOf(applied[39]) // the first encoding can't mark single events of a second
		if diff := cmp.Diff(want, look(l.Clone(), start+420, 420, applied...)); diff != "" {
			t.Errorf("%s, to be applied again (-want +got):\n%s", name, diff)
		}
	}
}

// saved returns a ledger that resumes from l after a sweep that listed nothing.
func saved(t *testing.T, l *ledger.Ledger) *ledger.Ledger {
	t.Helper()
	l = l.Clone()
	l.Advance(ledger.Look{Range: ledger.Range{From: start + 400, Until: start + 400}, At: start + 400}, 400)
	text, err := json.Marshal(l)
	if err != nil || string(text) == firstEncoding {
		t.Fatalf("%s, %v, want the present encoding", text, err)
	}
	return l.Clone()
}

// TestOldSeconds checks that nothing is lost when seconds are merged.
func TestOldSeconds(t *testing.T) {
	const overlap = 3600
	l := ledger.New(start)
	var all [][]ledger.Event
	for at := start; at < start+overlap; at += 2 {
		all = append(all, events("a", at, 20))
	}
	look(l, start+overlap, overlap, all...)
	for name, l := range map[string]*ledger.Ledger{"in memory": l, "resumed": l.Clone()} {
		t.Run(name, func(t *testing.T) {
			late := events("late", start+101, 1)
			if got := look(l, start+overlap, overlap, append(all, late)...); len(got) != 1 || got[0] != late[0].ID {
				t.Errorf("%d are new, want the late one", len(got))
			}
			cut := ledger.Look{Range: ledger.Range{From: start + 901, Until: start + 903}, At: start + overlap}
			if got := lookAt(l.Clone(), cut, overlap, all[451]); len(got) != 20 {
				t.Errorf("%d are new in a look that cuts through merged seconds", len(got))
			}
			from := l.Boundary(start + 901)
			until := from + 1
			for l.Boundary(until) < until {
				until++
			}
			if until-from < 16 {
				t.Fatalf("boundaries %d and %d", from-start, until-start)
			}
			var part [][]ledger.Event
			for _, e := range all {
				if from <= e[0].At && e[0].At < until {
					part = append(part, e)
				}
			}
			if got := lookAt(l.Clone(), ledger.Look{Range: ledger.Range{From: from, Until: until}, At: start + overlap}, overlap, part...); got != nil {
				t.Errorf("%d are new in a look at whole seconds", len(got))
			}
		})
	}
}

// TestSize checks that the size of a state stays within its bound at any rate.
func TestSize(t *testing.T) {
	for _, test := range []struct {
		overlap int64
		most    int
	}{{300, 8 << 10}, {1000, 8 << 10}, {3600, 10 << 10}, {86_400, 12 << 10}} {
		for _, perSecond := range []float64{0.1, 10, 100, 1000} {
			if perSecond*float64(test.overlap) > 3e5 {
				continue
			}
			l := ledger.New(start)
			for at := start; at < start+test.overlap+60; at += 5 {
				var found []ledger.Event
				for second := at; second < at+5; second++ {
					n := int(float64(second-start+1)*perSecond) - int(float64(second-start)*perSecond)
					found = append(found, events("a", second, n)...)
				}
				look := ledger.Look{Range: ledger.Range{From: at, Until: at + 5}, At: at + 5}
				l.Observe(look, found)
				if len(found) > 0 && test.overlap <= 1000 {
					for _, e := range found {
						l.Await(e, e.At+test.overlap)
					}
				}
				if at%60 < 5 || at+5 >= start+test.overlap+60 {
					whole := ledger.Look{Range: ledger.Range{From: l.From(), Until: at + 5}, At: at + 5}
					l.Advance(look, test.overlap)
					l.Advance(whole, test.overlap)
				} else {
					l.Advance(look, test.overlap)
				}
			}
			saved, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%g events/s, %d s: %d bytes", perSecond, test.overlap, len(saved))
			if len(saved) > test.most {
				t.Errorf("%g events/s over %d s take %d bytes, more than %d", perSecond, test.overlap, len(saved), test.most)
			}
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	applied := func(raw ...byte) string {
		return fmt.Sprintf(`{"from":"2024-01-31T00:00:00Z","until":"2024-01-31T00:05:00Z","applied":%q}`, base64.StdEncoding.EncodeToString(raw))
	}
	bucket := append([]byte{1}, make([]byte, 12)...)
	tests := map[string]struct{ text, want string }{
		"no object":       {`[]`, "cannot unmarshal"},
		"a time":          {`{"from":"yesterday"}`, "not a time"},
		"a year":          {`{"from":"9999-12-31T23:59:59-01:00"}`, "years 0 and 9999"},
		"backwards":       {`{"from":"2024-01-31T00:00:01Z","until":"2024-01-31T00:00:00Z"}`, "ends before it begins"},
		"another field":   {`{"to":"2024-01-31T00:00:01Z"}`, `unknown field "to"`},
		"a hash":          {`{"from":"2024-01-31T00:00:00Z","until":"2024-01-31T00:00:00Z","seen":["AAAAAAAA","AAAA"]}`, "seen[1] is not a hash"},
		"many hashes":     {`{"from":"2024-01-31T00:00:00Z","until":"2024-01-31T00:00:00Z","seen":["AAAAAAAA"` + strings.Repeat(`,"AAAAAAAA"`, 1000) + `]}`, "remembers 1001 events"},
		"another release": {applied(3), "encoding 3"},
		"cut short":       {applied(append([]byte{1, 0}, bucket[:12]...)...), "damaged"},
		"no events":       {applied(append([]byte{1, 0, 0}, bucket[1:]...)...), "damaged"},
		"no width":        {applied(append([]byte{1, 1, 0}, bucket...)...), "damaged"},
		"too wide":        {applied(append([]byte{1, 1, 0xad, 2}, bucket...)...), "damaged"}, // 301 s
		"beyond until":    {applied(append([]byte{1, 0xb0, 9}, bucket...)...), "damaged"},    // 300 s later
		"no varint":       {applied(1, 0x80), "damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := ledger.New(start)
			if err := json.Unmarshal([]byte(test.text), l); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if l.From() != start {
				t.Error("the ledger changed")
			}
		})
	}
}

func FuzzUnmarshal(f *testing.F) {
	l := ledger.New(start)
	found := events("a", start+5, 3)
	at := ledger.Look{Range: ledger.Range{From: start, Until: start + 1000}, At: start + 1000}
	l.Observe(at, append(found, events("b", start+900, 2)...))
	l.Await(found[0], start+350)
	l.Advance(at, 3600)
	saved, _ := json.Marshal(l)
	f.Add(saved)
	f.Add([]byte(`{"from":"2024-01-31T00:00:00Z","until":"2024-01-31T00:05:00Z","seen":["AAAAAAAA"],"seen_until":"2024-01-31T00:05:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l ledger.Ledger
		if json.Unmarshal(text, &l) != nil {
			return
		}
		saved, err := json.Marshal(&l)
		if err != nil {
			t.Fatal(err)
		}
		var again ledger.Ledger
		if err := json.Unmarshal(saved, &again); err != nil {
			t.Fatalf("%s: %v", saved, err)
		}
		if resaved, _ := json.Marshal(&again); string(resaved) != string(saved) {
			t.Fatalf("%s became %s", saved, resaved)
		}
		at := ledger.Look{Range: ledger.Range{From: l.From(), Until: l.Until() + 10}, At: l.Until() + 10}
		l.Observe(at, append(events("a", l.Until()+5, 2), events("a", l.From(), 2)...))
		l.Advance(at, 300)
		l.Discard()
		if again := l.Observe(at, events("a", l.Until()-5, 2)); at.From == l.From() && l.Until() == at.Until && again[0] {
			t.Fatalf("an applied event is new, from %d until %d", l.From(), l.Until())
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	for _, perSecond := range []int{1, 100} {
		var all []ledger.Event
		for at := start; at < start+300; at++ {
			all = append(all, events("a", at, perSecond)...)
		}
		at := ledger.Look{Range: ledger.Range{From: start, Until: start + 300}, At: start + 300}
		l := ledger.New(start)
		l.Observe(at, all)
		l.Advance(at, 300)
		b.Run(fmt.Sprintf("%d per second", perSecond), func(b *testing.B) {
			for b.Loop() {
				resumed := l.Clone()
				resumed.Observe(at, all)
				resumed.Advance(at, 300)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/event")
		})
	}
}
