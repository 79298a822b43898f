package ledger

import (
	"maps"
	"slices"
)

// bucket is what is known about the applied events of one second, or of several merged seconds.
type bucket struct {
	from, until int64
	count       int
	sum         digest
	sumBytes    int    // the number of bytes of sum that are known
	due         int64  // when to apply some of them again, unless they are known individually; zero means never
	awaits      []mark // which events due refers to; empty means all

	exact   bool // the events are known individually
	members []digest
	awaited map[digest]int64 // when to apply some members again
}

// record adds listed events, which must be sorted and unique, and returns those that are new. whole means that the listing covers
// the entire bucket.
func (b *bucket) record(listed []digest, now int64, whole bool, old *legacy) (fresh []digest) {
	if !b.exact && !whole {
		return slices.Clone(listed)
	}
	if !b.exact {
		missing, ok := b.missing(listed)
		if !ok {
			*b = bucket{from: b.from, until: b.until, count: len(listed), sum: sumOf(listed), sumBytes: digestBytes, exact: true, members: listed}
			return slices.Clone(listed)
		}
		b.identify(difference(listed, missing))
	}
	fresh = old.remove(difference(listed, b.members))
	added := difference(listed, b.members)
	for _, d := range listed {
		if due, awaited := b.awaited[d]; awaited && due <= now {
			delete(b.awaited, d)
			fresh = append(fresh, d)
		}
	}
	slices.SortFunc(fresh, digest.compare)
	b.count += len(added)
	b.sum = b.sum.xor(sumOf(added))
	b.members = append(slices.Clone(b.members), added...)
	slices.SortFunc(b.members, digest.compare)
	return fresh
}

// identify sets the members of the bucket.
func (b *bucket) identify(members []digest) {
	b.exact, b.members = true, members
	b.sum, b.sumBytes = sumOf(members), digestBytes
	if b.due != 0 {
		b.awaited = make(map[digest]int64, len(members))
		for _, d := range members {
			if len(b.awaits) == 0 || slices.Contains(b.awaits, d.mark()) {
				b.awaited[d] = b.due
			}
		}
		b.due, b.awaits = 0, nil
	}
}

// mark is the beginning of a digest. It is long enough to distinguish most events of a bucket.
type mark uint16

func (d digest) mark() mark { return mark(d[0] >> 48) }

// marks returns the sorted marks of the events to apply again, or none if all of them are.
func (b *bucket) marks() []mark {
	if !b.exact || len(b.awaited) == len(b.members) {
		return b.awaits
	}
	marks := make([]mark, 0, len(b.awaited))
	for d := range b.awaited {
		marks = append(marks, d.mark())
	}
	slices.Sort(marks)
	return slices.Compact(marks)
}

// forget drops what a state doesn't hold.
func (b *bucket) forget() {
	*b = bucket{from: b.from, until: b.until, count: b.count, sum: b.sum, sumBytes: b.sumBytes, due: b.earliest(), awaits: b.marks()}
}

func (b *bucket) await(d digest, due int64) {
	due = max(min(due, b.from+maxWait), b.from-maxWait, 1)
	switch {
	case !b.exact:
		b.due, b.awaits = earlier(b.due, due), nil
	case contains(b.members, d):
		if b.awaited == nil {
			b.awaited = map[digest]int64{}
		}
		b.awaited[d] = due
	}
}

// earliest returns when the first event of the bucket is due to be applied again, or zero if none is.
func (b *bucket) earliest() int64 {
	due := b.due
	for _, at := range b.awaited {
		due = earlier(due, at)
	}
	return due
}

// earlier returns the earlier of two times. Zero means never.
func earlier(a, b int64) int64 {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

// merge adds the events of a later bucket to b.
func (b *bucket) merge(later *bucket) {
	b.until = max(b.until, later.until)
	if !b.exact || !later.exact {
		b.forget()
		later.forget()
		switch {
		case b.due == 0:
			b.awaits = later.awaits
		case later.due == 0:
		case len(b.awaits) == 0 || len(later.awaits) == 0:
			b.awaits = nil
		default:
			b.awaits = slices.Concat(b.awaits, later.awaits)
			slices.Sort(b.awaits)
			b.awaits = slices.Compact(b.awaits)
		}
		b.due = earlier(b.due, later.due)
	} else {
		b.members = slices.Concat(b.members, later.members)
		slices.SortFunc(b.members, digest.compare)
		if b.awaited == nil {
			b.awaited = later.awaited
		} else {
			maps.Copy(b.awaited, later.awaited)
		}
	}
	b.count += later.count
	b.sum = b.sum.xor(later.sum)
	b.sumBytes = min(b.sumBytes, later.sumBytes)
}

// missing returns the listed events that are not in the bucket, provided that the others are exactly the events of the bucket.
func (b *bucket) missing(listed []digest) ([]digest, bool) {
	if len(listed) < b.count {
		return nil, false
	}
	if added := len(listed) - b.count; added <= b.count {
		return subset(listed, added, b.sum.xor(sumOf(listed)), b.sumBytes)
	}
	members, ok := subset(listed, b.count, b.sum, b.sumBytes)
	return difference(listed, members), ok
}
