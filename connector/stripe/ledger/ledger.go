package ledger

import (
	"cmp"
	"slices"
)

// Event is what a ledger needs to know about an event.
type Event struct {
	ID string
	At int64 // when it was created, in Unix seconds
}

// Range is the half-open range from From to Until, in Unix seconds.
type Range struct{ From, Until int64 }

// Look is a complete listing of the events created in a Range.
type Look struct {
	Range
	At int64 // when the listing began, by Stripe's clock
}

// Ledger remembers applied events. Its JSON is that of the last Advance. It must not be used concurrently.
type Ledger struct {
	from, until int64
	buckets     []*bucket // ascending; a second outside of all buckets has no events
	legacy      legacy
	saved       []byte // its JSON
}

// maxExact is the number of newest events that a ledger in memory knows individually.
const maxExact = 1 << 17

// New returns a ledger for the events created at or after from.
func New(from int64) *Ledger {
	l := &Ledger{from: from, until: from}
	l.save()
	return l
}

// From returns the first second that must be re-listed. All events before it were applied.
func (l *Ledger) From() int64 { return l.from }

// Until returns the second up to which events were listed at least once.
func (l *Ledger) Until() int64 { return l.until }

// Boundary returns the latest time, at or before at, that is not within merged seconds. A look that begins or ends within merged
// seconds reports all of their events as new.
func (l *Ledger) Boundary(at int64) int64 {
	if b := l.find(at); b != nil {
		return b.from
	}
	return at
}

// Observe records the events that a look found, in any order, and reports for each whether it is new. New means that it must be
// applied: it wasn't applied before, it is due again (see Await), or the ledger doesn't know. Duplicates and events before From
// are not new. Events outside of the look are new but aren't recorded.
//
// The look must begin at or before Until, or nothing is recorded. After the events have been applied, call Advance with the
// same look. If they could not be, call Discard.
func (l *Ledger) Observe(look Look, events []Event) (news []bool) {
	news = make([]bool, len(events))
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(events[i].At, events[j].At) })
	for len(order) > 0 {
		at := events[order[0]].At
		b, until := l.find(at), at+1
		if b != nil {
			until = b.until
		}
		n := slices.IndexFunc(order, func(i int) bool { return events[i].At >= until || events[i].At >= look.Until && at < look.Until })
		if n < 0 {
			n = len(order)
		}
		same := order[:n]
		order = order[n:]
		switch {
		case at < l.from:
		case at < look.From || at >= look.Until || look.From > l.until:
			for _, i := range same {
				news[i] = true
			}
		default:
			if b == nil {
				b = l.insert(at)
			}
			l.observe(b, look, events, same, news)
		}
	}
	return news
}

// observe records the events of a bucket, given by their indexes.
func (l *Ledger) observe(b *bucket, look Look, events []Event, indexes []int, news []bool) {
	hashes := make([]digest, len(indexes))
	for n, i := range indexes {
		hashes[n] = digestOf(events[i].ID)
	}
	listed := slices.Clone(hashes)
	slices.SortFunc(listed, digest.compare)
	listed = slices.Compact(listed)
	whole := look.From <= b.from && b.until <= look.Until
	fresh := b.record(listed, look.At, whole, &l.legacy)
	for n, i := range indexes {
		if at, found := slices.BinarySearchFunc(fresh, hashes[n], digest.compare); found {
			news[i] = true
			fresh = slices.Delete(fresh, at, at+1)
		}
	}
}

// Await schedules another application of an applied event: the first look at or after due reports it as new. This is forgotten
// together with the event, once its overlap has passed. After a resume, other events of the same second may be reported as new
// too.
func (l *Ledger) Await(e Event, due int64) {
	if b := l.find(e.At); b != nil {
		b.await(digestOf(e.ID), due)
	}
}

// Release undoes Await, if the ledger still knows the events of that second individually.
func (l *Ledger) Release(e Event) {
	if b := l.find(e.At); b != nil {
		delete(b.awaited, digestOf(e.ID))
	}
}

// Due returns the ranges with events that are due to be applied again.
func (l *Ledger) Due(now int64) []Range {
	var due []Range
	for _, b := range l.buckets {
		if at := b.earliest(); at != 0 && at <= now {
			due = append(due, Range{b.from, b.until})
		}
	}
	return due
}

// Advance records that the events of a look were applied. If the look began at or before From, From moves
// forward to one overlap before look.At. If it began at or before Until, Until moves forward to the end of the look.
func (l *Ledger) Advance(look Look, overlap int64) {
	if look.From <= l.until {
		l.until = max(l.until, look.Until)
	}
	if look.From <= l.from {
		l.from = max(l.from, min(look.Until, look.At-overlap))
	}
	settled := slices.IndexFunc(l.buckets, func(b *bucket) bool { return b.until > l.from })
	if settled < 0 {
		settled = len(l.buckets)
	}
	l.buckets = slices.Delete(l.buckets, 0, settled)
	if len(l.buckets) > 0 {
		l.from = min(l.from, l.buckets[0].from)
	}
	l.legacy.settle(l.from)
	l.coarsen()
	exact := 0
	for _, b := range slices.Backward(l.buckets) {
		if exact += len(b.members); exact > maxExact {
			b.forget()
		}
	}
	l.save()
}

// Discard undoes what was observed since the last Advance.
func (l *Ledger) Discard() { *l = *l.Clone() }

// Clone returns a ledger that resumes from l's JSON.
func (l *Ledger) Clone() *Ledger {
	clone := &Ledger{}
	if err := clone.UnmarshalJSON(l.saved); err != nil {
		panic("ledger: its own JSON is " + err.Error())
	}
	return clone
}

// find returns the bucket of a second, or nil.
func (l *Ledger) find(at int64) *bucket {
	if i := l.search(at); i < len(l.buckets) && l.buckets[i].from <= at {
		return l.buckets[i]
	}
	return nil
}

// search returns the index of the first bucket that ends after a second.
func (l *Ledger) search(at int64) int {
	i, _ := slices.BinarySearchFunc(l.buckets, at, func(b *bucket, at int64) int {
		if b.until <= at {
			return -1
		}
		return 1
	})
	return i
}

// insert adds a bucket for a second that is in none.
func (l *Ledger) insert(at int64) *bucket {
	b := &bucket{from: at, until: at + 1, sumBytes: digestBytes, exact: true}
	l.buckets = slices.Insert(l.buckets, l.search(at), b)
	return b
}

// Seconds older than fineAge are merged; with the default overlap, the last look at a second happens before that age. The width of
// the spans doubles when the age does.
const (
	fineAge    = 340
	firstWidth = 16
)

// cell returns the span into which to merge a second.
func (l *Ledger) cell(at int64) (from, until int64) {
	from, until = at, at+1
	for width := int64(firstWidth); ; width *= 2 {
		begin := at - (at%width+width)%width
		if l.until-(begin+width) < fineAge*width/firstWidth {
			return from, until
		}
		from, until = begin, begin+width
	}
}

// coarsen merges buckets that have become old.
func (l *Ledger) coarsen() {
	merged := l.buckets[:0]
	end := l.from
	for _, b := range l.buckets {
		if n := len(merged); n > 0 && b.from < end {
			merged[n-1].merge(b)
		} else {
			from, until := l.cell(b.from)
			b.from = max(min(from, b.from), end)
			b.until = max(until, b.until)
			merged = append(merged, b)
		}
		end = merged[len(merged)-1].until
	}
	clear(l.buckets[len(merged):])
	l.buckets = merged
}
