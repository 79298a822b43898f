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
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// A stretch of events is held in memory, so that of the events of one object only the newest counts. One that is longer than
// maxPages, by estimate or in fact, is cut into parts of about fairPages; a second can't be cut.
const (
	fairPages  = 16
	maxPages   = 20
	mostGrowth = 4 // of a part, compared with the one before: the newest events may be denser than the others
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
	reread  map[readingOf]reading        // when changes were read again in this Read
	open    map[readingOf][]ledger.Event // those of changes that wait until their object is visible
	lost    map[clock.Second]bool        // seconds with an event that Stripe can't return
	types   []string                     // the types of events that this release knows, sorted
}

// New returns the Sweeper of a Read.
func New(reader *family.Reader, o Options) *Sweeper {
	return &Sweeper{
		Options: o, reader: reader, seed: maphash.MakeSeed(),
		cadence: ledger.Cadence{Overlap: int64(o.Overlap), Settling: int64(o.Settling), PageSize: reader.PageSize},
		reread:  map[readingOf]reading{}, open: map[readingOf][]ledger.Event{}, lost: map[clock.Second]bool{},
		types: table.EventTypes(),
	}
}

// Restart makes the Sweeper forget streams whose lists are read again.
func (w *Sweeper) Restart(streams []*selected.Stream) {
	maps.DeleteFunc(w.reread, func(of readingOf, _ reading) bool { return slices.Contains(streams, of.stream) })
	maps.DeleteFunc(w.open, func(of readingOf, _ []ledger.Event) bool { return slices.Contains(streams, of.stream) })
}

// forget drops what was read again before any event that is still looked for.
func (w *Sweeper) forget(streams []*selected.Stream) {
	oldest := clock.Of(w.reader.Now())
	for _, s := range streams {
		oldest = min(oldest, s.Changes.From())
	}
	maps.DeleteFunc(w.reread, func(_ readingOf, read reading) bool { return read.at+selected.ReadMargin < oldest })
	maps.DeleteFunc(w.open, func(_ readingOf, events []ledger.Event) bool {
		return !slices.ContainsFunc(events, func(e ledger.Event) bool { return clock.Second(e.At) >= oldest })
	})
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
	odd      oddities
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
		odd:     oddities{unknown: map[string]int{}, nameless: map[string]int{}},
	}
	ledgers := make([]*ledger.Ledger, len(streams))
	for i, stream := range streams {
		ledgers[i] = stream.Changes.Events
	}
	s.families = family.All(w.reader.Table, streams)
	s.filter = filter(w.reader.Table, streams)
	plan := w.cadence.Plan(int64(s.now), 0, ledgers...)
	for i, stretch := range plan {
		width := stretch.Until - stretch.From
		if pages := w.cadence.Pages(stretch, ledgers...); pages > maxPages {
			width = width * fairPages / int64(pages)
		}
		if _, err := s.parts(ctx, stretch, max(width, 1), i == len(plan)-1); err != nil {
			return err
		}
	}
	w.forget(streams)
	return s.reportOddities(ctx)
}

// stretch applies the events of a stretch of time, and returns how many pages they filled. After the last stretch of a sweep,
// all states are sent.
func (s *sweep) stretch(ctx context.Context, stretch ledger.Range, last bool) (pages int, err error) {
	if s.begun && s.reader.Emitter.Stopped() {
		return 0, emit.ErrStopped
	}
	events, pages, width, err := s.list(ctx, stretch)
	switch {
	case err != nil:
		return pages, err
	case width > 0:
		return s.parts(ctx, stretch, width, last)
	}
	s.begun = true
	look := ledger.Look{Range: stretch, At: int64(s.now)}
	if err := s.apply(ctx, look, s.usable(events)); err != nil {
		return pages, err
	}
	return pages, s.commit(ctx, look, last)
}

// parts applies the events of a stretch of time part by part, the oldest first. The first part is as wide as width says, in
// seconds; each other by the density of the one before.
func (s *sweep) parts(ctx context.Context, stretch ledger.Range, width int64, last bool) (pages int, err error) {
	for at := stretch.From; at < stretch.Until; {
		next := min(at+width, stretch.Until)
		if boundary := s.boundary(next); boundary > at && next < stretch.Until {
			next = boundary
		}
		filled, err := s.stretch(ctx, ledger.Range{From: at, Until: next}, last && next == stretch.Until)
		if err != nil {
			return pages, err
		}
		pages += filled
		width = min(max((next-at)*fairPages/int64(max(filled, 1)), width/mostGrowth, 1), width*mostGrowth)
		at = next
	}
	return pages, nil
}

// commit notes that the events of a look are applied.
func (s *sweep) commit(ctx context.Context, look ledger.Look, last bool) error {
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
				w.note()
			}
			s.waiting = nil
			for _, stream := range s.streams {
				stream.Changes.Events.Advance(look, int64(s.Overlap))
				stream.Changes.Reread.Forget(stream.Changes.Until())
			}
		},
	})
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

// list returns the events of a stretch of time, the newest first, and how many pages they fill. If the stretch is too long, it
// returns instead how many seconds of it to list at once.
func (s *sweep) list(ctx context.Context, stretch ledger.Range) (events []Event, pages int, width int64, err error) {
	from, until := clock.Second(stretch.From), clock.Second(stretch.Until)
	l := &listing{reader: s.reader, filter: s.filter, from: from, until: until, unreadable: s.unreadable}
	for pages = 1; ; pages++ {
		page, more, err := l.next(ctx)
		if api.IsCursorGone(err) && l.after != "" {
			if err := l.restart(); err != nil {
				return nil, pages, 0, err
			}
			events = nil
			continue
		}
		if failure, ok := connector.FailureIn(err); ok && failure.Class == connector.PermissionError {
			return nil, pages, 0, RefusedError{failure}
		}
		if err != nil {
			return nil, pages, 0, err
		}
		events = append(events, page...)
		if !more {
			s.note(stretch, events)
			return events, pages, 0, nil
		}
		if width := fairWidth(events, pages, from, until); width > 0 {
			return nil, pages, width, nil
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

// fairWidth returns how many seconds of a stretch to list at once, by the density of its newest events; 0 if the whole
// stretch is short enough.
func fairWidth(newest []Event, pages int, from, until clock.Second) int64 {
	length := float64(until - from)
	if length < 2 || pages < 2 || len(newest) == 0 {
		return 0
	}
	covered := float64(max(until-newest[len(newest)-1].At(), 1))
	estimate := float64(pages) * length / covered
	if estimate <= maxPages && pages < maxPages {
		return 0
	}
	return int64(max(min(length*fairPages/estimate, length/2), 1))
}
