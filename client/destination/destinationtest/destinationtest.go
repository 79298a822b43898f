// Package destinationtest tests that a destination keeps the promise of client.Destination: wherever a sync is interrupted,
// resuming from the states that the destination returns results in the rows of an undisturbed sync.
package destinationtest

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Mode is what a destination does with the former versions of a row.
type Mode string

// The modes.
const (
	Replace Mode = "replace" // keeps the newest version, and removes rows that the source has no more
	Mark    Mode = "mark"    // keeps the newest version, and marks such rows
	Keep    Mode = "keep"    // keeps all versions
)

// Subject is a kind of destination to prove.
type Subject struct {
	// Modes are those that it has.
	Modes []Mode
	// New returns the place of a new, empty destination.
	New func(t *testing.T) (place string)
	// Open opens the destination at a place, which Close may have closed before.
	Open func(place string, mode Mode) (client.Destination, error)
	// Rows reads all rows of a destination that is closed, in no order.
	Rows func(place string, mode Mode) ([]Row, error)
	// Extra counts the rows that hold something for which they have no column. Nil if the destination has no columns.
	Extra func(place string) (int, error)
	// Lose are what others may do to the rows of the stream "charges" so that its states no longer hold, such as dropping its
	// table, by name. Begin must then return none for that stream and say so. They run while the destination is closed, and
	// between two commits.
	Lose map[string]func(t *testing.T, place string)
	// Refuse has the stream "charges" refuse the rows "id_c" and "id_e", by name of the way, and Accept ends that. They run
	// while the destination is closed.
	Refuse map[string]func(t *testing.T, place string)
	Accept func(t *testing.T, place string)
	// Alter are what others may do to that stream's table without harm, such as adding a column of their own.
	Alter map[string]func(t *testing.T, place string)
}

// Row is a row of a destination.
type Row struct {
	Stream, Account, ID string
	// Data is the record as JSON with its members sorted. Of a DELETE that Keep keeps, only the operation counts.
	Data string
	// Deleted reports that Mark marked the row, or that Keep kept it for a DELETE.
	Deleted bool
	// Arrival is the place among the versions, for Keep.
	Arrival int64
}

// Key names a row.
func Key(stream, account, id string) string { return stream + "/" + account + "/" + id }

// Streams returns the catalog of the tests. Its records are made by [Data].
func Streams() []*connectorv1.Stream {
	schema, err := structpb.NewStruct(map[string]any{
		"type": "object",
		"properties": map[string]any{
			"id":     map[string]any{"type": "string"},
			"n":      map[string]any{"type": "integer"},
			"name":   map[string]any{"type": []any{"string", "null"}},
			"nest":   map[string]any{"type": "object"},
			"parent": map[string]any{"type": "string"},
		},
	})
	if err != nil {
		panic(err) // the literal above is a valid Struct
	}
	var streams []*connectorv1.Stream
	for _, name := range []string{"charges", "odd \"name\"; --"} {
		streams = append(streams, &connectorv1.Stream{Name: name, PrimaryKey: []string{"id"}, JsonSchema: schema, ParentField: "parent"})
	}
	return streams
}

// Data returns a record with a member that the schema does not name.
func Data(id, parent string, version int) string {
	return fmt.Sprintf(`{"id":%q,"n":%d,"name":"it's \"%d\"","nest":{"a":[%d]},"parent":%q,"unseen":"%d"}`,
		id, version, version, version, parent, version)
}

// step is one thing that a stream sends.
type step struct {
	what       what
	id, parent string
	generation int64
}

type what int

const (
	upsert what = iota
	remove
	replace  // all rows of the parent are gone
	complete // the end of the generation
	withheld // since the destination declines it
)

// lane is what one stream of one account sends, and how far it got.
type lane struct {
	stream, account string
	steps           []step
	next            int   // the first step not sent
	saved           int   // the first step that no state covers
	commits         []int // where commits ended
	accepts         accepts
}

// Run proves a destination with random syncs that are cut off at random places.
func Run(t *testing.T, s Subject) {
	for _, mode := range s.Modes {
		t.Run("cut off anywhere, "+string(mode), func(t *testing.T) {
			t.Parallel() // it waits for the disk
			rapid.Check(t, func(rt *rapid.T) { cutOff(rt, s, s.New(t), mode) })
		})
	}
	for _, mode := range s.Modes {
		t.Run("parents, "+string(mode), func(t *testing.T) {
			if !acceptedBy(t, s, mode).takes(replace) {
				t.Skip("it declines DELETE_MATCHING")
			}
			parents(t, s, mode)
		})
	}
	for _, mode := range s.Modes {
		t.Run("lost, "+string(mode), func(t *testing.T) { lost(t, s, mode) })
		t.Run("altered, "+string(mode), func(t *testing.T) { altered(t, s, mode) })
	}
	t.Run("unchanged, keep", func(t *testing.T) {
		if !slices.Contains(s.Modes, Keep) {
			t.Skip("it keeps no versions")
		}
		unchanged(t, s)
	})
	for _, mode := range s.Modes {
		t.Run("refused, "+string(mode), func(t *testing.T) { setAside(t, s, mode) })
	}
	t.Run("schemas grow", func(t *testing.T) {
		if s.Extra == nil {
			t.Skip("it has no columns")
		}
		grow(t, s)
	})
	t.Run("one sync at a time", func(t *testing.T) {
		place := s.New(t)
		first, err := s.Open(place, s.Modes[0])
		if err != nil {
			t.Fatal(err)
		}
		if second, err := s.Open(place, s.Modes[0]); err == nil {
			_ = second.Close()
			t.Error("a second Open succeeded while the first was not closed")
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
}

func cutOff(t *rapid.T, s Subject, place string, mode Mode) {
	lanes := drawLanes(t)
	d := begin(t, s, place, mode, lanes)
	for range rapid.IntRange(0, 12).Draw(t, "actions") {
		switch rapid.SampledFrom([]string{"rows", "rows and state", "begin again", "reopen"}).Draw(t, "action") {
		case "rows":
			send(t, d, lanes, rapid.IntRange(1, 4).Draw(t, "count"), false)
		case "rows and state":
			send(t, d, lanes, rapid.IntRange(0, 4).Draw(t, "count"), true)
		case "begin again":
			resume(t, d, lanes)
		case "reopen":
			closed(t, d)
			d = begin(t, s, place, mode, lanes)
		}
	}
	for left := true; left; {
		send(t, d, lanes, 1000, true)
		left = slices.ContainsFunc(lanes, func(l *lane) bool { return l.next < len(l.steps) })
	}
	closed(t, d)
	rows, err := s.Rows(place, mode)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want(lanes, mode), named(rows, mode)); diff != "" {
		t.Fatalf("rows differ from those of an undisturbed sync (-want +got):\n%s", diff)
	}
}

// named returns what to compare of rows. The versions of one object are in order; those of different objects need not be.
func named(rows []Row, mode Mode) map[string][]string {
	slices.SortStableFunc(rows, func(a, b Row) int { return int(a.Arrival - b.Arrival) })
	all := map[string][]string{}
	for _, r := range rows {
		version := r.Data
		if r.Deleted && mode == Keep {
			version = ""
		}
		if r.Deleted {
			version = "deleted " + version
		}
		key := Key(r.Stream, r.Account, r.ID)
		all[key] = append(all[key], version)
	}
	return all
}

func drawLanes(t *rapid.T) []*lane {
	var lanes []*lane
	for _, stream := range Streams() {
		for _, account := range []string{"", "acct_1"} {
			generation := int64(1)
			steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
				drawn := rapid.IntRange(0, 11).Draw(t, "what")
				return step{
					what:   map[int]what{0: remove, 1: remove, 10: replace, 11: replace}[drawn], // or upsert
					id:     "id_" + strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "id")),
					parent: "parent_" + strconv.Itoa(rapid.IntRange(0, 1).Draw(t, "parent")),
					// For now: 1 ends a generation, 2 begins another without an end.
					generation: map[int]int64{8: 1, 9: 2}[drawn],
				}
			}), 0, 15).Draw(t, "steps")
			for i := range steps {
				switch steps[i].generation {
				case 1:
					steps[i].what, steps[i].generation = complete, generation
					generation++
					continue
				case 2:
					generation++
				}
				steps[i].generation = generation
			}
			lanes = append(lanes, &lane{stream: stream.GetName(), account: account, steps: steps})
		}
	}
	return lanes
}

func begin(t *rapid.T, s Subject, place string, mode Mode, lanes []*lane) client.Destination {
	d, err := s.Open(place, mode)
	if err != nil {
		t.Fatal(err)
	}
	resume(t, d, lanes)
	return d
}

// resume begins and checks that the states are the last ones stored.
func resume(t *rapid.T, d client.Destination, lanes []*lane) {
	begun, err := d.Begin(t.Context(), Streams())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range begun.Notices {
		t.Fatalf("nothing was disturbed, and it says of %s: %s", n.Stream, n.Message)
	}
	got := map[string]int{}
	for _, s := range begun.States {
		got[Key(s.GetStream(), s.GetAccount(), "")] = int(s.GetContent().GetFields()["next"].GetNumberValue())
	}
	for _, l := range lanes {
		if key := Key(l.stream, l.account, ""); got[key] != l.saved {
			t.Fatalf("state of %q says %d, want %d", key, got[key], l.saved)
		}
		if l.accepts != nil && !slices.Equal(l.accepts, begun.AcceptedOperations) {
			t.Fatalf("accepted operations are %v, and were %v", begun.AcceptedOperations, l.accepts)
		}
		l.accepts = accepts(begun.AcceptedOperations)
		l.next = l.saved
		l.commits = slices.DeleteFunc(l.commits, func(end int) bool { return end > l.saved })
	}
}

// send commits up to count steps of each lane. The end of a generation comes with a state only.
func send(t *rapid.T, d client.Destination, lanes []*lane, count int, state bool) {
	var c client.Commit
	for _, l := range lanes {
		var batch *connectorv1.RecordBatch
		for range min(count, len(l.steps)-l.next) {
			s := l.steps[l.next]
			if s.what == complete {
				if state {
					c.Completed = append(c.Completed, client.Completion{Stream: l.stream, Account: l.account, Generation: s.generation})
					l.next++
				}
				break
			}
			if !l.accepts.takes(s.what) { // the service withholds it
				l.next++
				continue
			}
			if batch.GetGeneration() != s.generation {
				batch = &connectorv1.RecordBatch{Stream: l.stream, Account: l.account, Generation: s.generation}
				c.Records = append(c.Records, batch)
			}
			batch.Records = append(batch.Records, l.record())
		}
		l.commits = append(l.commits, l.next)
		if state {
			l.saved = l.next
			content, err := structpb.NewStruct(map[string]any{"next": l.next})
			if err != nil {
				t.Fatal(err)
			}
			c.States = append(c.States,
				&connectorv1.StreamState{Stream: l.stream, Account: l.account, Content: content})
		}
	}
	if err := d.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// record returns the next record of a lane.
func (l *lane) record() *connectorv1.Record {
	s := l.steps[l.next]
	r := &connectorv1.Record{
		Operation: connectorv1.Operation_OPERATION_UPSERT,
		Data:      Data(s.id, s.parent, l.next),
		AsOf:      timestamppb.New(time.Unix(int64(l.next), 0)),
	}
	switch s.what {
	case remove:
		r.Operation, r.Data = connectorv1.Operation_OPERATION_DELETE, fmt.Sprintf(`{"id":%q}`, s.id)
	case replace:
		r.Operation, r.Data = connectorv1.Operation_OPERATION_DELETE_MATCHING, fmt.Sprintf(`{"parent":%q}`, s.parent)
	}
	l.next++
	return r
}

// live is an object that the source has.
type live struct {
	generation int64
	parent     string
	at         int // the step that brought it
}

// want returns the rows of an undisturbed sync. At the end of each commit, keep removes the children that a parent no longer has.
func want(lanes []*lane, mode Mode) map[string][]string {
	all := map[string][]string{}
	for _, l := range lanes {
		objects := map[string]live{}
		gone := func(id string) {
			key := Key(l.stream, l.account, id)
			_, known := objects[id]
			delete(objects, id)
			switch {
			case mode == Replace:
				delete(all, key)
			case mode == Keep:
				if n := len(all[key]); n == 0 || all[key][n-1] != "deleted " { // of what is gone there is nothing new to tell
					all[key] = append(all[key], "deleted ")
				}
			case known:
				all[key] = []string{"deleted " + all[key][0]}
			}
		}
		replaced := map[string]int{} // the last step that said so, by parent
		for i, s := range l.steps {
			key := Key(l.stream, l.account, s.id)
			what := s.what
			if !l.accepts.takes(what) {
				what = withheld
			}
			switch what {
			case withheld:
			case upsert:
				objects[s.id] = live{s.generation, s.parent, i}
				if mode != Keep {
					delete(all, key)
				}
				all[key] = append(all[key], Data(s.id, s.parent, i))
			case remove:
				gone(s.id)
			case replace:
				replaced[s.parent] = i
			case complete:
				for id, object := range objects {
					if object.generation < s.generation {
						gone(id)
					}
				}
			}
			if mode == Keep && !slices.Contains(l.commits, i+1) {
				continue
			}
			for id, object := range objects {
				if at, ok := replaced[object.parent]; ok && object.at < at {
					gone(id)
				}
			}
			clear(replaced)
		}
	}
	return all
}

func closed(t *rapid.T, d client.Destination) {
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
