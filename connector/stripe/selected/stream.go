package selected

import (
	"context"
	"encoding/json"
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
	Selection   *rawjson.Selection // nil: all fields
	Incremental bool
	Swept       bool         // incremental, and events announce changes
	Out         *emit.Stream // where its records and states go

	// What a round of the Read begins with. Planning sets it.
	Given       *state.State // what it resumes from; nil: it begins
	GivenPath   string       // the path of that in the request
	Generation  int64
	Resumed     bool   // its lists were begun by an earlier Read
	NeedsRelist bool   // and when they are read, what no event announces is listed once more
	Notice      string // what the user should know when it begins

	// Its cursors. They move inside commits.
	Changes *state.Changes // how far its changes are applied; nil unless Swept
	Current state.State    // the last state
	Owner   state.Owner

	setAside setAside // what it goes on without
	lists    atomic.Pointer[Lists]
	mu       sync.Mutex
	phase    Phase
}

// Lists is the reading of lists that a stream takes part in.
type Lists interface {
	// State returns how far the lists are read for the stream, apart from its changes.
	State(s *Stream) state.State
	// Fraction returns the part of the lists that is read, 0 to 1.
	Fraction() float64
}

// SetLists says which reading of lists the stream takes part in from now on.
func (s *Stream) SetLists(lists Lists) { s.lists.Store(&lists) }

// HasLists reports whether lists of the stream are read, or were, in this Read.
func (s *Stream) HasLists() bool { return s.lists.Load() != nil }

// Fraction returns the part of the stream's lists that is read, 0 to 1.
func (s *Stream) Fraction() float64 {
	if lists := s.lists.Load(); lists != nil {
		return (*lists).Fraction()
	}
	return 1
}

// Register registers the stream with the Read's emitter. now is the clock.
func (s *Stream) Register(e *emit.Emitter, now func() time.Time) error {
	s.setAside.now = now
	o := emit.StreamOptions{Name: s.Row.Name, Checkpoint: s.Checkpoint, Fraction: s.Fraction, Refused: s.refuse, SetAside: s.summarizeSetAside}
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

// Begin says that the stream is being read, and what the user should know about that.
func (s *Stream) Begin(ctx context.Context) error {
	if notice := s.Notice; notice != "" {
		s.Notice = ""
		if err := s.Out.Log(ctx, connector.Warning, notice); err != nil {
			return err
		}
	}
	return s.Out.Begin(ctx, s.Generation)
}

// Checkpoint returns the state that the stream's cursors mean.
func (s *Stream) Checkpoint() (emit.Checkpoint, error) {
	if lists := s.lists.Load(); lists != nil && s.step() == Listing {
		s.Current = (*lists).State(s)
	}
	s.Current.Changes, s.Current.Owner, s.Current.SetAside = s.Changes, s.Owner, s.SetAside()
	encoded, err := json.Marshal(s.Current)
	return emit.Checkpoint{State: encoded, Watermark: s.Current.Watermark()}, err
}

// ReadMargin is how far Stripe's clock, by which events are stamped, and ours, by which readings are, may differ without
// harm: an event that is nearer to a reading than this may be older or newer.
const ReadMargin = clock.Second(5 * time.Second / time.Second)

// MarkRead notes that records were read from Stripe: they may be newer than events until then.
func (s *Stream) MarkRead(at clock.Second) {
	if s.Changes != nil {
		s.Changes.Reread = max(s.Changes.Reread, at+ReadMargin)
	}
}

// Outs returns the emitter's side of streams.
func Outs(streams []*Stream) []*emit.Stream {
	outs := make([]*emit.Stream, len(streams))
	for i, s := range streams {
		outs[i] = s.Out
	}
	return outs
}
