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

	reader *family.Reader
	seed   maphash.Seed
	seen   map[*selected.Stream]*seen
	reread map[readingOf]reading // when changes were read again in this Read
}

// New returns the Sweeper of a Read.
func New(reader *family.Reader, o Options) *Sweeper {
	return &Sweeper{
		Options: o, reader: reader, seed: maphash.MakeSeed(), seen: map[*selected.Stream]*seen{}, reread: map[readingOf]reading{},
	}
}

// Restart makes the Sweeper forget streams whose lists are read again.
func (w *Sweeper) Restart(streams []*selected.Stream) {
	for _, s := range streams {
		delete(w.seen, s)
	}
	maps.DeleteFunc(w.reread, func(of readingOf, _ reading) bool { return slices.Contains(streams, of.stream) })
}

// forget drops what was read again before any event that is still looked for.
func (w *Sweeper) forget(streams []*selected.Stream) {
	oldest := clock.Of(w.reader.Now())
	for _, s := range streams {
		oldest = min(oldest, s.Changes.From)
	}
	maps.DeleteFunc(w.reread, func(_ readingOf, read reading) bool { return read.at+selected.ReadMargin < oldest })
}

// sweep is one pass over the events: from where the stream that is furthest behind left off, until a moment that lies the
// settling lag back.
type sweep struct {
	*Sweeper
	streams  []*selected.Stream
	families []*family.Member
	filter   url.Values
	now      clock.Second
	until    clock.Second
	targets  map[targetsKey][]target    // what events of a type concern
	telling  map[readingOf][]moment     // the events of the overlap that concern a list
	listed   map[readingOf]clock.Second // when lists were read in this sweep
	begun    bool
}

// Sweep applies the events of streams. It returns emit.ErrStopped if the Read is to stop before the end, but not before one
// stretch was applied, and a [RefusedError] if the key may not read events.
func (w *Sweeper) Sweep(ctx context.Context, streams []*selected.Stream) error {
	s := &sweep{
		Sweeper: w, streams: streams,
		now:     clock.Of(w.reader.Now()),
		targets: map[targetsKey][]target{},
		telling: map[readingOf][]moment{},
		listed:  map[readingOf]clock.Second{},
	}
	s.until = s.now - w.Settling
	from := s.until
	for _, stream := range streams {
		if w.seen[stream] == nil {
			w.seen[stream] = recall(stream.Changes)
		}
		from = min(from, stream.Changes.From)
	}
	if from == s.until {
		return nil // not even the overlap is old enough
	}
	s.families = family.All(w.reader.Table, streams)
	s.filter = filter(w.reader.Table, streams)
	err := s.stretch(ctx, from, s.until)
	w.forget(streams)
	return err
}

// stretch applies the events of a stretch of time.
func (s *sweep) stretch(ctx context.Context, from, until clock.Second) error {
	if s.begun && s.reader.Emitter.Stopped() {
		return emit.ErrStopped
	}
	events, parts, err := s.list(ctx, from, until)
	if err != nil {
		return err
	}
	if parts > 1 {
		step := max((until-from)/clock.Second(parts), 1)
		for at := from; at < until; at += step {
			if err := s.stretch(ctx, at, min(at+step, until)); err != nil {
				return err
			}
		}
		return nil
	}
	s.begun = true
	if err := s.apply(ctx, events); err != nil {
		return err
	}
	s.await()
	states := emit.StatesOfRecords
	if until == s.until {
		states = emit.StatesNow
	}
	return s.reader.Emitter.Commit(ctx, emit.Commit{
		Streams: selected.Outs(s.streams),
		States:  states,
		Advance: func() {
			for _, stream := range s.streams {
				s.seen[stream].advance(stream.Changes, until, s.Overlap)
			}
		},
	})
}

// list returns the events of a stretch of time, the newest first, or into how many parts it is to be cut.
func (s *sweep) list(ctx context.Context, from, until clock.Second) ([]Event, int, error) {
	var events []Event
	l := &listing{reader: s.reader, filter: s.filter, from: from, until: until}
	for pages := 1; ; pages++ {
		objects, more, err := l.next(ctx)
		if api.IsCursorGone(err) && l.after != "" {
			events, l.after = nil, "" // that event has become too old meanwhile
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
			return events, 1, nil
		}
		if parts := parts(events, pages, from, until); parts > 1 {
			return nil, parts, nil
		}
	}
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
