package changes

import (
	"context"
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// A stretch of events is held in memory, so that only the newest event of each object is applied. It is divided into parts, after
// each of which a state is sent: the first ones are short, so that a Read that is killed soon makes progress, and the later ones
// are long, so that fewer objects are re-read more than once. A single second can't be divided.
const (
	firstPages = 16              // of the first part of a sweep
	maxPages   = 40              // of a part, a limit that parts reach by doubling; with the tolerance of isTooLong, a state is due by then
	maxTime    = 5 * time.Second // for a part; then a state is due, too
	maxHeld    = 32 << 20        // bytes of the events of a part; see weight
	maxGrowth  = 4               // of the width from one part to the next, because the newest events may be denser than the others
)

// isTooLong reports whether a number of pages, estimated or actual, is too much for a part of about fair pages.
func isTooLong(pages, fair float64) bool { return pages > fair*1.25 }

// Options say how changes are applied.
type Options struct {
	APIVersion string                      // in which objects are read
	UpdateMode string                      // config.UpdateAuto, UpdatePayload or UpdateReread
	Advice     func(version string) string // describes what it costs that events have another API version, and how to save that
	Overlap    clock.Second                // how long an event may take to become visible
	Settling   clock.Second                // the minimum age of events to list
}

// Sweeper sweeps the events for a Read, and remembers between sweeps what was re-read. It must not be used concurrently.
type Sweeper struct {
	Options

	reader  *family.Reader
	seed    maphash.Seed
	cadence ledger.Cadence
	reread  map[readingOf]reading        // when subjects were re-read in this Read
	open    map[readingOf][]ledger.Event // the events of changes whose object is not visible yet
	lost    map[clock.Second]bool        // seconds with an event that Stripe can't return
	types   []string                     // the types of events that the API version has, sorted
}

// New returns the Sweeper of a Read.
func New(reader *family.Reader, o Options) *Sweeper {
	edition, _ := schema.Of(o.APIVersion)
	return &Sweeper{
		Options: o, reader: reader, seed: maphash.MakeSeed(),
		cadence: ledger.Cadence{Overlap: int64(o.Overlap), Settling: int64(o.Settling), PageSize: reader.PageSize},
		reread:  map[readingOf]reading{}, open: map[readingOf][]ledger.Event{}, lost: map[clock.Second]bool{},
		types: table.EventTypes(edition),
	}
}

// Restart makes the Sweeper forget streams that are re-read from the beginning.
func (w *Sweeper) Restart(streams []*selected.Stream) {
	maps.DeleteFunc(w.reread, func(of readingOf, _ reading) bool { return slices.Contains(streams, of.stream) })
	maps.DeleteFunc(w.open, func(of readingOf, _ []ledger.Event) bool { return slices.Contains(streams, of.stream) })
}

// forget drops readings that are older than all events that sweeps still list.
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

// sweep is one pass over the events: the new ones, up to the settling lag before now, and those of the recent past, where events
// may have become visible late.
type sweep struct {
	*Sweeper
	streams     []*selected.Stream
	ledgers     []*ledger.Ledger // those of the streams
	families    []*family.Member
	filter      url.Values
	now         clock.Second
	targets     map[targetsKey][]target      // the targets of events, by type
	overlapping map[readingOf][]ledger.Event // the events within the overlap that concern a list
	listed      map[readingOf]clock.Second   // when lists were read in this sweep
	waiting     []waiting
	odd         oddities
	fair        float64 // the number of pages of the next part
	holding     bool    // the newest events of a stretch wait until those before them are applied
	crowded     int     // number of seconds with more events than fit in memory
	partBegan   time.Time
	begun       bool
}

// Sweep applies the events of streams. It returns a [RefusedError] if the key may not read events. If the Read is asked to stop, it
// returns emit.ErrStopped once at least one stretch was applied.
func (w *Sweeper) Sweep(ctx context.Context, streams []*selected.Stream) error {
	s := &sweep{
		Sweeper: w, streams: streams,
		now:         clock.Of(w.reader.Now()),
		targets:     map[targetsKey][]target{},
		overlapping: map[readingOf][]ledger.Event{},
		listed:      map[readingOf]clock.Second{},
		odd:         oddities{unknown: map[string]int{}, nameless: map[string]int{}, reread: map[string]int{}},
		fair:        firstPages,
		partBegan:   time.Now(),
	}
	for _, stream := range streams {
		s.ledgers = append(s.ledgers, stream.Changes.Events)
	}
	s.families = family.All(w.reader.Table, streams)
	s.filter = filter(w.reader.Table, streams)
	plan := w.cadence.Plan(int64(s.now), 0, s.ledgers...)
	for i, stretch := range plan {
		width := stretch.Until - stretch.From
		if pages := float64(w.cadence.Pages(stretch, s.ledgers...)); isTooLong(pages, s.fair) {
			width = int64(float64(width) * s.fair / pages)
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
	case width > 0 && s.holding:
		return s.parts(ctx, stretch, width, last)
	case width > 0:
		return s.divide(ctx, stretch, events, pages, width, last)
	}
	return pages, s.finish(ctx, stretch, events, pages, last)
}

// divide applies the events of a stretch that is too long, of which only the newest were listed. These are held until those before
// them are applied, so that they need not be listed again.
func (s *sweep) divide(ctx context.Context, stretch ledger.Range, newest []Event, pages int, width int64, last bool) (int, error) {
	begin := ledger.BoundaryAfter(int64(newest[len(newest)-1].At())+1, s.ledgers...) // the second of the oldest may not be complete
	if begin >= stretch.Until {
		return s.parts(ctx, stretch, width, last)
	}
	held := newest[:slices.IndexFunc(newest, func(e Event) bool { return int64(e.At()) < begin })]
	s.holding = true
	before, err := s.parts(ctx, ledger.Range{From: stretch.From, Until: begin}, width, false)
	s.holding = false
	switch {
	case err != nil:
		return before, err
	case s.reader.Emitter.Stopped():
		return before, emit.ErrStopped
	}
	return before + pages, s.finish(ctx, ledger.Range{From: begin, Until: stretch.Until}, held, pages, last)
}

// finish applies all events of a stretch, which fill a number of pages.
func (s *sweep) finish(ctx context.Context, stretch ledger.Range, events []Event, pages int, last bool) error {
	s.begun = true
	s.recordListing(stretch, events)
	look := ledger.Look{Range: stretch, At: int64(s.now)}
	if err := s.apply(ctx, look, s.usable(events)); err != nil {
		return err
	}
	if err := s.commit(ctx, look, last); err != nil {
		return err
	}
	now := time.Now()
	s.grow(events, pages, now.Sub(s.partBegan))
	s.partBegan = now
	return nil
}

// parts applies the events of a stretch of time in parts, oldest first. The first part covers width seconds, and each other part
// depends on the density of the one before.
func (s *sweep) parts(ctx context.Context, stretch ledger.Range, width int64, last bool) (pages int, err error) {
	for at := stretch.From; at < stretch.Until; {
		next := min(at+width, stretch.Until)
		if boundary := ledger.Boundary(next, s.ledgers...); boundary > at && next < stretch.Until {
			next = boundary
		}
		filled, err := s.stretch(ctx, ledger.Range{From: at, Until: next}, last && next == stretch.Until)
		if err != nil {
			return pages, err
		}
		pages += filled
		width = min(max(int64(float64(next-at)*s.fair/float64(max(filled, 1))), width/maxGrowth, 1), width*maxGrowth)
		at = next
	}
	return pages, nil
}

// commit records that the events of a look were applied.
func (s *sweep) commit(ctx context.Context, look ledger.Look, last bool) error {
	states := emit.StatesOfRecords
	if last {
		states = emit.StatesNow
	}
	return s.reader.Emitter.Commit(ctx, emit.Commit{
		Streams: selected.EmitStreams(s.streams),
		States:  states,
		Advance: func() {
			s.awaitLists()
			for _, w := range s.waiting {
				w.record()
			}
			s.waiting = nil
			for _, stream := range s.streams {
				stream.Changes.Events.Advance(look, int64(s.Overlap))
				stream.Changes.Reread.Forget(stream.Changes.Until())
			}
		},
	})
}

// list returns the events of a stretch of time, newest first, and the number of pages that they fill. If the stretch is too long,
// it returns only the newest events, and the number of seconds to list at once.
func (s *sweep) list(ctx context.Context, stretch ledger.Range) (events []Event, pages int, width int64, err error) {
	from, until := clock.Second(stretch.From), clock.Second(stretch.Until)
	l := &listing{reader: s.reader, filter: s.filter, from: from, until: until, unreadable: s.unreadable}
	held := 0
	for pages = 1; ; pages++ {
		page, more, err := l.next(ctx)
		if api.IsCursorGone(err) && l.after != "" {
			if err := l.restart(); err != nil {
				return nil, pages, 0, err
			}
			events, held = nil, 0
			continue
		}
		if failure, ok := connector.FailureIn(err); ok && failure.Class == connector.PermissionError {
			return nil, pages, 0, RefusedError{failure}
		}
		if err != nil {
			return nil, pages, 0, err
		}
		events = append(events, page...)
		held += weight(page)
		if more && held > maxHeld && until-from == 1 {
			err, more = s.leaveRest(ctx, from, len(events)), false
		}
		if err != nil {
			return nil, pages, 0, err
		}
		if !more {
			return events, pages, 0, nil
		}
		if width := fairWidth(events, pages, held, from, until, s.fair); width > 0 {
			return events, pages, width, nil
		}
	}
}

// recordListing passes the result of a complete listing to the cadence.
func (s *sweep) recordListing(stretch ledger.Range, events []Event) {
	found := make([]ledger.Event, len(events))
	for i := range events {
		found[i] = events[i].moment()
	}
	s.cadence.Listed(ledger.Look{Range: stretch, At: int64(s.now)}, found)
}

// grow chooses the number of pages of the next part from the events of this one, and from how long it took.
func (s *sweep) grow(events []Event, pages int, took time.Duration) {
	fits := float64(maxHeld) / float64(max(weight(events), 1)) * float64(pages)
	inTime := max(firstPages, float64(maxTime)/float64(max(took, 1))*float64(pages))
	s.fair = max(1, min(2*s.fair, maxPages, fits, inTime))
}

// fairWidth returns the number of seconds of a stretch to list at once, based on the density of its newest events, the bytes that
// these hold, and the number of pages that a part may have. It returns 0 if the whole stretch is short enough.
func fairWidth(newest []Event, pages, held int, from, until clock.Second, fair float64) int64 {
	length := float64(until - from)
	if length < 2 || pages < 2 && held <= maxHeld || len(newest) == 0 {
		return 0
	}
	covered := float64(max(until-newest[len(newest)-1].At(), 1))
	if held > maxHeld {
		return int64(max(min(covered, length)/2, 1))
	}
	estimate := float64(pages) * length / covered
	if !isTooLong(estimate, fair) && !isTooLong(float64(pages)+1, fair) {
		return 0
	}
	return int64(max(min(length*fair/estimate, length/2), 1))
}
