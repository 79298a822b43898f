// Package destinationtest proves that a destination keeps the promise of client.Destination: whatever is cut off, and
// wherever, resuming from the states that it returns gives the rows of an undisturbed sync.
package destinationtest

import (
	"fmt"
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

// Subject is a kind of destination to prove.
type Subject struct {
	// New gives the place of a new, empty destination.
	New func(t *testing.T) (place string)
	// Open opens the destination at a place, which Close may have closed before.
	Open func(place string) (client.Destination, error)
	// Rows reads all rows of a destination that is closed: by [Key], the record as JSON with its members sorted.
	Rows func(place string) (map[string]string, error)
}

// Key names a row.
func Key(stream, account, id string) string { return stream + "/" + account + "/" + id }

// Streams gives the catalog of the tests. Its records are made by [Data].
func Streams() []*connectorv1.Stream {
	schema, err := structpb.NewStruct(map[string]any{
		"type": "object",
		"properties": map[string]any{
			"id":   map[string]any{"type": "string"},
			"n":    map[string]any{"type": "integer"},
			"name": map[string]any{"type": []any{"string", "null"}},
			"nest": map[string]any{"type": "object"},
		},
	})
	if err != nil {
		panic(err) // the literal above is a valid Struct
	}
	var streams []*connectorv1.Stream
	for _, name := range []string{"charges", "odd \"name\"; --"} {
		streams = append(streams, &connectorv1.Stream{Name: name, PrimaryKey: []string{"id"}, JsonSchema: schema})
	}
	return streams
}

// Data gives a record with a member that the schema does not name.
func Data(id string, version int) string {
	return fmt.Sprintf(`{"id":%q,"n":%d,"name":"it's \"%d\"","nest":{"a":[%d]},"unseen":"%d"}`,
		id, version, version, version, version)
}

// step is one record of what a stream sends.
type step struct {
	id     string
	remove bool
}

// lane is what one stream of one account sends, and how far it got.
type lane struct {
	stream, account string
	steps           []step
	next            int // the first step not sent
	saved           int // the first step that no state covers
}

// Run proves a destination with random syncs that are cut off at random places.
func Run(t *testing.T, s Subject) {
	t.Run("cut off anywhere", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			place := s.New(t)
			lanes := drawLanes(rt)
			d := begin(rt, s, place, lanes)
			for range rapid.IntRange(0, 12).Draw(rt, "actions") {
				switch rapid.SampledFrom([]string{"rows", "rows and state", "begin again", "reopen"}).Draw(rt, "action") {
				case "rows":
					send(rt, d, lanes, rapid.IntRange(1, 4).Draw(rt, "count"), false)
				case "rows and state":
					send(rt, d, lanes, rapid.IntRange(0, 4).Draw(rt, "count"), true)
				case "begin again":
					resume(rt, d, lanes)
				case "reopen":
					closed(rt, d)
					d = begin(rt, s, place, lanes)
				}
			}
			send(rt, d, lanes, 1000, true)
			closed(rt, d)
			got, err := s.Rows(place)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(want(lanes), got); diff != "" {
				rt.Fatalf("rows differ from those of an undisturbed sync (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("one sync at a time", func(t *testing.T) {
		place := s.New(t)
		first, err := s.Open(place)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := s.Open(place); err == nil {
			_ = second.Close()
			t.Error("a second Open succeeded while the first was not closed")
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
}

func drawLanes(t *rapid.T) []*lane {
	var lanes []*lane
	for _, stream := range Streams() {
		for _, account := range []string{"", "acct_1"} {
			steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
				return step{
					id:     "id_" + strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "id")),
					remove: rapid.IntRange(0, 3).Draw(t, "remove") == 0,
				}
			}), 0, 15).Draw(t, "steps")
			lanes = append(lanes, &lane{stream: stream.GetName(), account: account, steps: steps})
		}
	}
	return lanes
}

func begin(t *rapid.T, s Subject, place string, lanes []*lane) client.Destination {
	d, err := s.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	resume(t, d, lanes)
	return d
}

// resume begins and checks that the states are the last ones stored.
func resume(t *rapid.T, d client.Destination, lanes []*lane) {
	states, err := d.Begin(t.Context(), Streams())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, s := range states {
		got[Key(s.GetStream(), s.GetAccount(), "")] = int(s.GetState().GetFields()["next"].GetNumberValue())
	}
	for _, l := range lanes {
		if key := Key(l.stream, l.account, ""); got[key] != l.saved {
			t.Fatalf("state of %q says %d, want %d", key, got[key], l.saved)
		}
		l.next = l.saved
	}
}

// send commits up to count records of each lane.
func send(t *rapid.T, d client.Destination, lanes []*lane, count int, state bool) {
	var c client.Commit
	for _, l := range lanes {
		batch := &connectorv1.RecordBatch{Stream: l.stream, Account: l.account}
		for range min(count, len(l.steps)-l.next) {
			batch.Records = append(batch.Records, l.record())
		}
		c.Records = append(c.Records, batch)
		if state {
			l.saved = l.next
			content, err := structpb.NewStruct(map[string]any{"next": l.next})
			if err != nil {
				t.Fatal(err)
			}
			c.States = append(c.States,
				&connectorv1.StreamState{Stream: l.stream, Account: l.account, State: content})
		}
	}
	if err := d.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// record gives the next record of a lane.
func (l *lane) record() *connectorv1.Record {
	s := l.steps[l.next]
	r := &connectorv1.Record{
		Operation: connectorv1.Operation_OPERATION_UPSERT,
		Data:      Data(s.id, l.next),
		AsOf:      timestamppb.New(time.Unix(int64(l.next), 0)),
	}
	if s.remove {
		r.Operation, r.Data = connectorv1.Operation_OPERATION_DELETE, fmt.Sprintf(`{"id":%q}`, s.id)
	}
	l.next++
	return r
}

func want(lanes []*lane) map[string]string {
	rows := map[string]string{}
	for _, l := range lanes {
		for i, s := range l.steps {
			if s.remove {
				delete(rows, Key(l.stream, l.account, s.id))
			} else {
				rows[Key(l.stream, l.account, s.id)] = Data(s.id, i)
			}
		}
	}
	return rows
}

func closed(t *rapid.T, d client.Destination) {
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
