package destinationtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// lost removes the rows of a stream, in the middle of a sync and between two syncs. The stream's states must be gone,
// those of the other stream must not, and after the stream is re-read the rows must be right.
func lost(t *testing.T, s Subject, mode Mode) {
	for name, lose := range s.Lose {
		t.Run(name+", between syncs", func(t *testing.T) {
			h := newHistory(t, s, mode)
			h.commit(1, 0, 20)
			h.close()
			lose(t, h.place)
			h.open()
			h.wantLost()
			h.commit(2, 0, 30)
			h.wantRows(30)
		})
		t.Run(name+", between commits", func(t *testing.T) {
			h := newHistory(t, s, mode)
			h.commit(1, 0, 20)
			lose(t, h.place)
			err := h.try(1, 20, 25)
			if _, interrupted := errors.AsType[*client.Interruption](err); err != nil && !interrupted {
				t.Fatalf("the commit failed permanently: %v", err)
			}
			h.begin()
			h.wantLost()
			h.commit(2, 0, 30)
			h.wantRows(30)
		})
	}
}

// altered makes harmless changes to the table of a stream. The states and the user's values must stay.
func altered(t *testing.T, s Subject, mode Mode) {
	for name, alter := range s.Alter {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, s, mode)
			h.commit(1, 0, 10)
			alter(t, h.place)
			h.commit(2, 0, 20)
			h.close()
			h.open()
			if got := h.states(); len(got) != 2 {
				t.Errorf("states of %v remain, want both: %v", got, h.begun.Notices)
			}
			h.commit(3, 0, 30)
			h.wantRows(30)
		})
	}
}

// history is the history of one destination. Both streams get the same rows.
type history struct {
	t     *testing.T
	s     Subject
	mode  Mode
	place string
	d     client.Destination
	begun client.BeginResult
	// refused, if set, is called for each record set aside.
	refused func(client.Refusal)
}

func newHistory(t *testing.T, s Subject, mode Mode) *history {
	t.Helper()
	h := &history{t: t, s: s, mode: mode, place: s.New(t)}
	h.open()
	return h
}

// open opens the destination and calls Begin. The destination is closed when the test ends, if not before.
func (h *history) open() {
	h.t.Helper()
	d, err := h.s.Open(h.place, h.mode)
	if err != nil {
		h.t.Fatal(err)
	}
	h.d = d
	h.t.Cleanup(func() {
		if h.d == d {
			_ = d.Close()
		}
	})
	h.begin()
}

func (h *history) close() {
	h.t.Helper()
	d := h.d
	h.d = nil
	if err := d.Close(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) begin() {
	h.t.Helper()
	var err error
	if h.begun, err = h.d.Begin(h.t.Context(), Streams()); err != nil {
		h.t.Fatal(err)
	}
}

// states returns the names of the streams that have a state.
func (h *history) states() []string {
	var names []string
	for _, state := range h.begun.States {
		names = append(names, state.GetStream())
	}
	return names
}

func (h *history) wantLost() {
	h.t.Helper()
	const stream = "charges"
	if got := h.states(); !slices.Equal(got, []string{Streams()[1].GetName()}) {
		h.t.Errorf("states of %q remain, want only that of the other stream", got)
	}
	if !slices.ContainsFunc(h.begun.Notices, func(n client.Notice) bool { return n.Stream == stream && n.Message != "" }) {
		h.t.Errorf("got notices %v, want one for %s", h.begun.Notices, stream)
	}
}

// step returns the step that sends object i.
func (h *history) step(i int, generation int64) step {
	return step{kind: upsert, id: "id_" + string(rune('a'+i)), parent: "p", generation: generation}
}

// try commits objects from up to, but not including, to of a generation, with a state and the end of the generation.
func (h *history) try(generation int64, from, to int) error {
	h.t.Helper()
	c := client.Commit{Refused: h.refused}
	for _, stream := range Streams() {
		l := &lane{stream: stream.GetName(), next: from}
		for i := range to {
			l.steps = append(l.steps, h.step(i, generation))
		}
		batch := &connectorv1.RecordBatch{Stream: l.stream, Generation: generation}
		for l.next < to {
			batch.Records = append(batch.Records, l.record())
		}
		state, err := structpb.NewStruct(map[string]any{"next": to})
		if err != nil {
			h.t.Fatal(err)
		}
		c.Records = append(c.Records, batch)
		c.States = append(c.States, &connectorv1.StreamState{Stream: l.stream, Content: state})
		c.Completed = append(c.Completed, client.Completion{Stream: l.stream, Generation: generation})
	}
	return h.d.Commit(h.t.Context(), c)
}

func (h *history) commit(generation int64, from, to int) {
	h.t.Helper()
	if err := h.try(generation, from, to); err != nil {
		h.t.Fatal(err)
	}
}

// wantRows closes the destination and checks that the newest versions of its rows are the first n objects.
func (h *history) wantRows(n int) {
	h.t.Helper()
	h.close()
	rows, err := h.s.Rows(h.place, h.mode)
	if err != nil {
		h.t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, stream := range Streams() {
		for i := range n {
			s := h.step(i, 0)
			want[Key(stream.GetName(), "", s.id)] = Data(s.id, s.parent, i)
		}
	}
	for key, versions := range named(rows, h.mode) {
		got[key] = versions[len(versions)-1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("rows (-want +got):\n%s", diff)
	}
}
