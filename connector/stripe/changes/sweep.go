package changes

import (
	"context"
	"hash/maphash"
	"maps"
	"net/url"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
)

// A stretch of events is held in memory, so that of the events of one object only the newest counts. One that is longer, by
// estimate or in fact, is cut into parts, the oldest first; a second cannot be.
const (
	fairPages = 8
	maxPages  = 20
	maxParts  = 4 // at once: the newest events may be denser than the others
)

// Options say how changes are applied.
type Options struct {
	UpdateMode string       // config.UpdateAuto, UpdatePayload or UpdateReread
	Overlap    clock.Second // how long an event may take to become visible
	Settling   clock.Second // how old an event must be to be looked for
}

// Sweeper sweeps the events for a Read. It remembers what it has read between sweeps. One goroutine at a time uses it.
type Sweeper struct {
	Options

	reader  *family.Reader
	seed    maphash.Seed
	cadence ledger.Cadence
	floor   map[*selected.Stream]clock.Second // events before it may be older than records that were sent
	reread  map[readingOf]reading             // when changes were read again in this Read
}

// New returns the Sweeper of a Read.
func New(reader *family.Reader, o Options) *Sweeper {
	return &Sweeper{
		Options: o, reader: reader, seed: maphash.MakeSeed(),
		cadence: ledger.Cadence{Overlap: int64(o.Overlap), Settling: int64(o.Settling), PageSize: reader.PageSize},
		floor:   map[*selected.Stream]clock.Second{}, reread: map[readingOf]reading{},
	}
}

// Restart makes the Sweeper forget streams whose lists are read again.
func (w *Sweeper) Restart(streams []*selected.Stream) {
	for _, s := range streams {
		delete(w.floor, s)
	}
	maps.DeleteFunc(w.reread, func(of readingOf, _ reading) bool { return slices.Contains(streams, of.stream) })
}

// Reread notes that records of streams were just read from Stripe otherwise: they may be newer than events until now.
func (w *Sweeper) Reread(streams []*selected.Stream) {
	for _, s := range streams {
		if floor, known := w.floor[s]; known {
			w.floor[s] = max(floor, clock.Of(w.reader.Now())+selected.ReadMargin+1)
		}
	}
}

// forget drops what was read again before any event that is still looked for.
func (w *Sweeper) forget(streams []*selected.Stream) {
	oldest := clock.Of(w.reader.Now())
	for _, s := range streams {
		oldest = min(oldest, s.Changes.From())
	}
	maps.DeleteFunc(w.reread, func(_ readingOf, read reading) bool { return read.at+selected.ReadMargin < oldest })
}

// sweep is one pass over the events: of what is new until a moment that lies the settling lag back, and of that part of the
// past where events may have become visible late.
type sweep struct {
	*Sweeper
	streams  []*selected.Stream
	families []*family.Member
	filter   url.Values
	now      clock.Second
	targets  map[targetsKey][]target      // what events of a type concern
	telling  map[readingOf][]ledger.Event // the events of the overlap that concern a list
	listed   map[readingOf]clock.Second   // when lists were read in this sweep
	waiting  []waiting
	begun    bool
}

// Sweep applies the events of streams. It returns emit.ErrStopped if the Read is to stop before the end, but not before one
// stretch was applied, and a [RefusedError] if the key may not read events.
func (w *Sweeper) Sweep(ctx context.Context, streams []*selected.Stream) error {
	s := &sweep{
		Sweeper: w, streams: streams,
		now:     clock.Of(w.reader.Now()),
		targets: map[targetsKey][]target{},
		telling: map[readingOf][]ledger.Event{},
		listed:  map[readingOf]clock.Second{},
	}
	ledgers := make([]*ledger.Ledger, len(streams))
	for i, stream := range streams {
		ledgers[i] = stream.Changes.Events
		if _, known := w.floor[stream]; !known {
			w.floor[stream] = stream.Changes.Reread
		}
	}
	s.families = family.All(w.reader.Table, streams)
	s.filter = filter(w.reader.Table, streams)
	if err := s.stretches(ctx, w.cadence.Plan(int64(s.now), 0, ledgers...), true); err != nil {
		return err
	}
	w.forget(streams)
	return nil
}

// stretches applies the events of stretches of time, one after the other. After the last of a sweep, all states are sent.
func (s *sweep) stretches(ctx context.Context, all []ledger.Range, last bool) error {
	for i, stretch := range all {
		if err := s.stretch(ctx, stretch, last && i == len(all)-1); err != nil {
			return err
		}
	}
	return nil
}

// stretch applies the events of a stretch of time.
func (s *sweep) stretch(ctx context.Context, stretch ledger.Range, last bool) error {
	if s.begun && s.reader.Emitter.Stopped() {
		return emit.ErrStopped
	}
	look := ledger.Look{Range: stretch, At: int64(s.now)}
	events, parts, err := s.list(ctx, stretch)
	if err != nil {
		return err
	}
	if parts > 1 {
		return s.stretches(ctx, s.cut(stretch, parts), last)
	}
	s.begun = true
	if err := s.apply(ctx, look, events); err != nil {
		return err
	}
	states := emit.StatesOfRecords
	if last {
		states = emit.StatesNow
	}
	return s.reader.Emitter.Commit(ctx, emit.Commit{
		Streams: selected.Outs(s.streams),
		States:  states,
		Advance: func() {
			s.awaitLists()
			for _, w := range s.waiting {
				w.stream.Changes.Events.Await(w.event, int64(w.due))
			}
			s.waiting = nil
			for _, stream := range s.streams {
				stream.Changes.Events.Advance(look, int64(s.Overlap))
			}
		},
	})
}

// cut cuts a stretch into some parts, where no ledger has merged seconds.
func (s *sweep) cut(stretch ledger.Range, parts int) []ledger.Range {
	var all []ledger.Range
	step := max((stretch.Until-stretch.From)/int64(parts), 1)
	for at := stretch.From; at < stretch.Until; {
		next := min(at+step, stretch.Until)
		if boundary := s.boundary(next); boundary > at && next < stretch.Until {
			next = boundary
		}
		all = append(all, ledger.Range{From: at, Until: next})
		at = next
	}
	return all
}

// boundary returns the latest time not after at where no ledger has merged seconds.
func (s *sweep) boundary(at int64) int64 {
	for {
		before := at
		for _, stream := range s.streams {
			at = stream.Changes.Events.Boundary(at)
		}
		if at == before {
			return at
		}
	}
}

// list returns the events of a stretch of time, the newest first, or into how many parts it is to be cut.
func (s *sweep) list(ctx context.Context, stretch ledger.Range) ([]Event, int, error) {
	from, until := clock.Second(stretch.From), clock.Second(stretch.Until)
	var events []Event
	l := &listing{reader: s.reader, filter: s.filter, from: from, until: until}
	for pages := 1; ; pages++ {
		objects, more, err := l.next(ctx)
		if api.IsCursorGone(err) && l.after != "" {
			if err := l.restart(); err != nil {
				return nil, 0, err
			}
			events = nil
			continue
		}
		if failure, ok := connector.FailureIn(err); ok && failure.Class == connector.PermissionError {
			return nil, 0, RefusedError{failure}
		}
		if err != nil {
			return nil, 0, err
		}
		for _, object := range objects {
			events = append(events, parseEvent(object))
		}
		if !more {
			s.note(stretch, events)
			return events, 1, nil
		}
		if parts := parts(events, pages, from, until); parts > 1 {
			return nil, parts, nil
		}
	}
}

// note tells the cadence what a complete listing found.
func (s *sweep) note(stretch ledger.Range, events []Event) {
	found := make([]ledger.Event, len(events))
	for i := range events {
		found[i] = events[i].moment()
	}
	s.cadence.Listed(ledger.Look{Range: stretch, At: int64(s.now)}, found)
}

// parts returns into how many parts a stretch is to be cut, by the density of its newest events; 1 if it is short enough.
func parts(newest []Event, pages int, from, until clock.Second) int {
	rest := newest[len(newest)-1].At() - from
	covered := max(until-from-rest, 1)
	estimate := float64(pages) * float64(until-from) / float64(covered)
	if until-from < 2 || pages < 2 || estimate <= maxPages && pages < maxPages {
		return 1
	}
	return int(min(max(estimate/fairPages, 2), maxParts, float64(until-from)))
}
