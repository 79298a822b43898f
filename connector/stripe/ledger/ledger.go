package ledger

import (
	"cmp"
	"slices"
)

// Event is what a ledger needs to know of an event.
type Event struct {
	ID string
	At int64 // when it was created, in Unix seconds
}

// Range is the time from From on and before Until, in Unix seconds.
type Range struct{ From, Until int64 }

// Look is a complete listing of the events created in a Range.
type Look struct {
	Range
	At int64 // when the listing began, by Stripe's clock
}

// Ledger remembers applied events. Its JSON is what it was at the last Advance. It must not be used concurrently.
type Ledger struct {
	from, until int64
	buckets     []*bucket // ascending; a second in none has no events
	legacy      legacy
	saved       []byte // its JSON
}

// mostExact is the most events that a ledger in memory knows one by one, the newest.
const mostExact = 1 << 17

// New returns a ledger for the events created at or after from.
func New(from int64) *Ledger {
	l := &Ledger{from: from, until: from}
	l.save()
	return l
}

// From returns the first second that must be listed again: all events before it are applied.
func (l *Ledger) From() int64 { return l.from }

// Until returns the second up to which events were listed at least once.
func (l *Ledger) Until() int64 { return l.until }

// Boundary returns the latest time not after at where a look may begin or end without cutting through seconds that were
// merged. A look that does cut through them reports all of their events as new.
func (l *Ledger) Boundary(at int64) int64 {
	if b := l.find(at); b != nil {
		return b.from
	}
	return at
}

// Observe records the events that a look found, in any order, and reports for each of them whether it is new: to be
// applied, because it hasn't been, because it is due (see Await), or because the ledger can't tell. A second mention of an
// event is not new, nor is an event before From. One outside of the look is new and is not recorded.
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

// Await notes that an applied event is to be applied again: the first look at or after due reports it as new. That is
// forgotten with the event, once a look begins later than the overlap after it. After a resume, other events of the same
// second may be reported along with it.
func (l *Ledger) Await(e Event, due int64) {
	if b := l.find(e.At); b != nil {
		b.await(digestOf(e.ID), due)
	}
}

// Release undoes Await, where the ledger still knows the events of that second one by one.
func (l *Ledger) Release(e Event) {
	if b := l.find(e.At); b != nil {
		delete(b.awaited, digestOf(e.ID))
	}
}

// Due returns what is to be listed since events there await another application.
func (l *Ledger) Due(now int64) []Range {
	var due []Range
	for _, b := range l.buckets {
		if at := b.earliest(); at != 0 && at <= now {
			due = append(due, Range{b.from, b.until})
		}
	}
	return due
}

// Advance notes that the events of a look are applied. It moves From up to the overlap before the beginning of the look if
// that began at From, and moves Until to the end of the look if that began at Until or before.
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
		if exact += len(b.members); exact > mostExact {
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

// Seconds are merged from an age of fineAge on, which is that of the last look at a second with the default overlap. Twice the
// age doubles the width.
const (
	fineAge    = 340
	firstWidth = 16
)

// cell returns the span into which a second is to be merged.
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
