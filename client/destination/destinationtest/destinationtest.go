// Package destinationtest tests that a destination fulfills the contract of client.Destination: wherever a sync is
// interrupted, resuming from the states that the destination returns produces the same rows as an uninterrupted sync.
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

// Mode is how a destination treats former versions of a row.
type Mode string

// The modes.
const (
	Replace Mode = "replace" // keeps the newest version, and removes rows that the source no longer has
	Mark    Mode = "mark"    // keeps the newest version, and marks rows that the source no longer has
	Keep    Mode = "keep"    // keeps all versions
)

// Subject is a kind of destination to test.
type Subject struct {
	// Modes are the modes that it supports.
	Modes []Mode
	// New returns the place of a new, empty destination. What a place is depends on the kind, for example a path.
	New func(t *testing.T) (place string)
	// Open opens the destination at a place. It may have been open before.
	Open func(place string, mode Mode) (client.Destination, error)
	// Rows reads all rows of a closed destination, in any order.
	Rows func(place string, mode Mode) ([]Row, error)
	// Extra counts the rows with values that have no column. It is nil if the destination has no columns.
	Extra func(place string) (int, error)
	// Lose holds, by name, what others may do to the rows of the stream "charges" that invalidates its states, such as
	// dropping its table. Begin must then return no state for that stream, and a notice. Each function runs both while the
	// destination is closed and between two commits.
	Lose map[string]func(t *testing.T, place string)
	// Refuse holds, by name, ways to make the stream "charges" refuse the rows "id_c" and "id_e". Accept ends that. They run
	// while the destination is closed.
	Refuse map[string]func(t *testing.T, place string)
	Accept func(t *testing.T, place string)
	// Alter holds, by name, harmless changes that others may make to that stream's table, such as adding a column of their
	// own.
	Alter map[string]func(t *testing.T, place string)
}

// Row is a row of a destination.
type Row struct {
	Stream, Account, ID string
	// Data is the record as JSON with sorted members. It is ignored for a DELETE kept by Keep.
	Data string
	// Deleted reports whether Mark marked the row, or the row is a DELETE kept by Keep.
	Deleted bool
	// Arrival orders the versions of a row, for Keep.
	Arrival int64
}

// Key returns a string that identifies a row.
func Key(stream, account, id string) string { return stream + "/" + account + "/" + id }

// Streams returns the streams that the tests use. [Data] returns their records.
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
		panic(err) // can't happen: the literal above is a valid Struct
	}
	var streams []*connectorv1.Stream
	for _, name := range []string{"charges", "odd \"name\"; --"} {
		streams = append(streams, &connectorv1.Stream{Name: name, PrimaryKey: []string{"id"}, JsonSchema: schema, ParentField: "parent"})
	}
	return streams
}

// Data returns a record. One of its members is not in the schema.
func Data(id, parent string, version int) string {
	return fmt.Sprintf(`{"id":%q,"n":%d,"name":"it's \"%d\"","nest":{"a":[%d]},"parent":%q,"unseen":"%d"}`,
		id, version, version, version, parent, version)
}

// step is one message of a stream.
type step struct {
	kind       stepKind
	id, parent string
	generation int64
}

type stepKind int

const (
	upsert stepKind = iota
	remove
	replace  // all earlier rows of the parent are gone
	complete // the end of the generation
	withheld // not sent, because the destination declines it
)

// lane is the sequence of steps of one stream of one account, and how many of them were sent.
type lane struct {
	stream, account string
	steps           []step
	next            int   // the index of the first step not sent
	saved           int   // the index of the first step that no state covers
	commits         []int // the values of next at the end of each commit
	accepts         accepts
}

// Run tests a destination with random syncs that are interrupted at random places.
func Run(t *testing.T, s Subject) {
	for _, mode := range s.Modes {
		t.Run("cut off anywhere, "+string(mode), func(t *testing.T) {
			t.Parallel() // it waits for the disk
			rapid.Check(t, func(rt *rapid.T) { interrupt(rt, s, s.New(t), mode) })
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
		t.Run("compare, "+string(mode), func(t *testing.T) { compare(t, s, mode) })
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
			t.Error("a second Open succeeded while the first destination was still open")
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
}

func interrupt(t *rapid.T, s Subject, place string, mode Mode) {
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
		t.Fatalf("rows differ from those of an uninterrupted sync (-want +got):\n%s", diff)
	}
}

// named returns the rows in a form to compare. The versions of one object are in order, but not those of different
// objects.
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
					kind:   map[int]stepKind{0: remove, 1: remove, 10: replace, 11: replace}[drawn], // upsert otherwise
					id:     "id_" + strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "id")),
					parent: "parent_" + strconv.Itoa(rapid.IntRange(0, 1).Draw(t, "parent")),
					// Temporarily, 1 means the end of a generation, and 2 a new generation without the end of the last.
					generation: map[int]int64{8: 1, 9: 2}[drawn],
				}
			}), 0, 15).Draw(t, "steps")
			for i := range steps {
				switch steps[i].generation {
				case 1:
					steps[i].kind, steps[i].generation = complete, generation
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

// resume calls Begin and checks that it returns the states stored last.
func resume(t *rapid.T, d client.Destination, lanes []*lane) {
	begun, err := d.Begin(t.Context(), Streams())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range begun.Notices {
		t.Fatalf("nothing was changed, but got a notice about %s: %s", n.Stream, n.Message)
	}
	got := map[string]int{}
	for _, s := range begun.States {
		got[Key(s.GetStream(), s.GetAccount(), "")] = int(s.GetContent().GetFields()["next"].GetNumberValue())
	}
	for _, l := range lanes {
		if key := Key(l.stream, l.account, ""); got[key] != l.saved {
			t.Fatalf("state of %q is %d, want %d", key, got[key], l.saved)
		}
		if l.accepts != nil && !slices.Equal(l.accepts, begun.AcceptedOperations) {
			t.Fatalf("accepted operations are %v, but were %v", begun.AcceptedOperations, l.accepts)
		}
		l.accepts = accepts(begun.AcceptedOperations)
		l.next = l.saved
		l.commits = slices.DeleteFunc(l.commits, func(end int) bool { return end > l.saved })
	}
}

// send commits up to count steps of each lane. It sends the end of a generation only along with a state.
func send(t *rapid.T, d client.Destination, lanes []*lane, count int, state bool) {
	var c client.Commit
	for _, l := range lanes {
		var batch *connectorv1.RecordBatch
		for range min(count, len(l.steps)-l.next) {
			s := l.steps[l.next]
			if s.kind == complete {
				if state {
					c.Completed = append(c.Completed, client.Completion{Stream: l.stream, Account: l.account, Generation: s.generation})
					l.next++
				}
				break
			}
			if !l.accepts.takes(s.kind) { // the service doesn't send it
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
	switch s.kind {
	case remove:
		r.Operation, r.Data = connectorv1.Operation_OPERATION_DELETE, fmt.Sprintf(`{"id":%q}`, s.id)
	case replace:
		r.Operation, r.Data = connectorv1.Operation_OPERATION_DELETE_MATCHING, fmt.Sprintf(`{"parent":%q}`, s.parent)
	}
	l.next++
	return r
}

// live is an object that exists at the source.
type live struct {
	generation int64
	parent     string
	at         int // the step that last sent it
}

// want returns the rows of an uninterrupted sync. In mode Keep, the children that a parent no longer has are removed at
// the end of each commit.
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
				if n := len(all[key]); n == 0 || all[key][n-1] != "deleted " { // no second DELETE for an object that is already deleted
					all[key] = append(all[key], "deleted ")
				}
			case known:
				all[key] = []string{"deleted " + all[key][0]}
			}
		}
		replaced := map[string]int{} // the last such step, by parent
		for i, s := range l.steps {
			key := Key(l.stream, l.account, s.id)
			what := s.kind
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
