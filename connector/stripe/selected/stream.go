package selected

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Stream is one selected stream of a Read.
type Stream struct {
	Row         *table.Stream
	Selection   *rawjson.Selection // nil means all fields
	Expansions  []table.Expansion  // the columns that Stripe includes only on request
	APIVersion  string             // in which its objects are read
	Drift       *Drift             // how the records differ from the schema; nil if nobody asks
	Incremental bool
	Swept       bool         // incremental, and its changes are announced by events
	Out         *emit.Stream // where its records and states go

	// The starting point of a round of the Read, set by package plan.
	Given       *state.State // the state it resumes from; nil if it starts from the beginning
	GivenPath   string       // the path of Given in the request
	Generation  int64
	Resumed     bool   // its lists were started by an earlier Read
	NeedsRelist bool   // once its lists have been read, they are re-listed to find changes without events
	Notice      string // a warning to log when the stream begins

	// The stream's cursors, which only move inside commits.
	Changes *state.Changes // how far its changes have been applied; nil unless Swept
	Current state.State    // the last state
	Pending clock.Second   // state.State.Pending of what was read since the starting point
	Owner   state.Owner

	setAside setAside // items that the stream continues without
	lists    atomic.Pointer[Lists]
	mu       sync.Mutex
	phase    Phase
}

// Lists is the pass over the lists that a stream takes part in.
type Lists interface {
	// State returns how far the lists have been read for s, apart from its changes.
	State(s *Stream) state.State
	// Fraction returns the part of the lists that has been read, 0 to 1.
	Fraction() float64
}

// SetLists sets the pass that reads the stream's lists.
func (s *Stream) SetLists(lists Lists) { s.lists.Store(&lists) }

// Expanded returns the paths of what Stripe is asked to expand for the columns of the stream, sorted.
func (s *Stream) Expanded() []string {
	var paths []string
	for _, e := range s.Expansions {
		paths = append(paths, e.Path())
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// HasLists reports whether the stream's lists are being or have been read in this Read.
func (s *Stream) HasLists() bool { return s.lists.Load() != nil }

// Fraction returns the part of the stream's lists that has been read, 0 to 1.
func (s *Stream) Fraction() float64 {
	if lists := s.lists.Load(); lists != nil {
		return (*lists).Fraction()
	}
	return 1
}

// Register registers the stream with the Read's emitter. now is the clock.
func (s *Stream) Register(e *emit.Emitter, now func() time.Time) error {
	s.setAside.now = now
	o := emit.StreamOptions{Name: s.Row.Name, Checkpoint: s.Checkpoint, Fraction: s.Fraction, Refused: s.refuse, SetAside: s.summarizeSetAside, Drift: s.Drift.Summary}
	if s.Given != nil {
		given, err := json.Marshal(s.Given)
		if err != nil {
			return err
		}
		o.Given, o.GivenGeneration = given, s.Given.Generation
	}
	s.Out = e.Stream(o)
	return nil
}

// Begin reports that the stream is being read, and logs its Notice once.
func (s *Stream) Begin(ctx context.Context) error {
	if notice := s.Notice; notice != "" {
		s.Notice = ""
		if err := s.Out.Log(ctx, connector.Warning, notice); err != nil {
			return err
		}
	}
	return s.Out.Begin(ctx, s.Generation)
}

// Checkpoint returns the state that corresponds to the stream's cursors.
func (s *Stream) Checkpoint() (emit.Checkpoint, error) {
	if lists := s.lists.Load(); lists != nil && s.step() == Listing {
		s.Current = (*lists).State(s)
	}
	s.Current.Pending = earlier(s.Current.Pending, s.Pending)
	s.Current.Changes, s.Current.Owner, s.Current.SetAside = s.Changes, s.Owner, s.SetAside()
	s.Current.APIVersion, s.Current.Expanded = s.APIVersion, s.Expanded()
	encoded, err := json.Marshal(s.Current)
	return emit.Checkpoint{State: encoded, Watermark: s.Current.Watermark()}, err
}

// NotePending records that an object was read that can still change without an event. It must be called inside a commit.
func (s *Stream) NotePending(created clock.Second) { s.Pending = earlier(s.Pending, created) }

// earlier returns the earlier of two times, of which 0 is none.
func earlier(a, b clock.Second) clock.Second {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// ReadMargin is the tolerated difference between the clock of event timestamps and the clock of reads. An event closer to a
// read than this may be older or newer than it.
const ReadMargin = clock.Second(5 * time.Second / time.Second)

// MarkRead records that any objects of the stream were read from Stripe at the given time, so they may be newer than events
// until then.
func (s *Stream) MarkRead(at clock.Second) {
	if s.Changes != nil {
		s.Changes.Reread.MarkAll(at + ReadMargin)
	}
}

// EmitStreams returns the emitter's streams for these streams.
func EmitStreams(streams []*Stream) []*emit.Stream {
	outs := make([]*emit.Stream, len(streams))
	for i, s := range streams {
		outs[i] = s.Out
	}
	return outs
}
