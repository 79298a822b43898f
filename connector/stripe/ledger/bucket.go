package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// digest is the hash of an id, or the XOR of several.
type digest struct {
	high uint64
	low  uint32
}

// digestSize is its size in a state.
const digestSize = 12

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte(id))
	return digest{binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint32(sum[8:])}
}

func (d digest) xor(other digest) digest { return digest{d.high ^ other.high, d.low ^ other.low} }

func (d digest) compare(other digest) int {
	return cmp.Or(cmp.Compare(d.high, other.high), cmp.Compare(d.low, other.low))
}

func sumOf(all []digest) digest {
	var sum digest
	for _, d := range all {
		sum = sum.xor(d)
	}
	return sum
}

// bucket is what is known of the applied events of one second, or of several.
type bucket struct {
	from, until int64
	count       int
	sum         digest
	due         int64 // when all of them are to be applied again, if they aren't known one by one; zero for never

	exact   bool // whether they are known one by one
	members []digest
	awaited map[digest]int64 // when some of them are to be applied again
}

// record adds listed events, sorted and without duplicates, and returns those that are new. Whole says that everything in
// the bucket was listed.
func (b *bucket) record(listed []digest, now int64, whole bool, old *legacy) (fresh []digest) {
	if !b.exact && !whole {
		return slices.Clone(listed)
	}
	if !b.exact {
		missing, ok := b.missing(listed)
		if !ok {
			*b = bucket{from: b.from, until: b.until, count: len(listed), sum: sumOf(listed), exact: true, members: listed}
			return slices.Clone(listed)
		}
		b.identify(without(listed, missing))
	}
	fresh = old.remove(without(listed, b.members))
	added := without(listed, b.members)
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

// identify notes which the events of the bucket are.
func (b *bucket) identify(members []digest) {
	b.exact, b.members = true, members
	if b.due != 0 {
		b.awaited = make(map[digest]int64, len(members))
		for _, d := range members {
			b.awaited[d] = b.due
		}
		b.due = 0
	}
}

// forget keeps only what a state holds.
func (b *bucket) forget() {
	*b = bucket{from: b.from, until: b.until, count: b.count, sum: b.sum, due: b.earliest()}
}

func (b *bucket) await(d digest, due int64) {
	due = max(min(due, b.from+mostWait), b.from-mostWait, 1)
	switch {
	case !b.exact:
		b.due = sooner(b.due, due)
	case contains(b.members, d):
		if b.awaited == nil {
			b.awaited = map[digest]int64{}
		}
		b.awaited[d] = due
	}
}

// earliest returns when the first event of the bucket is to be applied again; zero if none is.
func (b *bucket) earliest() int64 {
	due := b.due
	for _, at := range b.awaited {
		due = sooner(due, at)
	}
	return due
}

// sooner returns the earlier of two times of which zero means never.
func sooner(a, b int64) int64 {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

// merge adds the events of a later bucket.
func (b *bucket) merge(later *bucket) {
	b.until = max(b.until, later.until)
	if !b.exact || !later.exact {
		b.forget()
		later.forget()
		b.due = sooner(b.due, later.due)
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
}

// missing returns which of the listed events are not in the bucket, provided that the others are exactly what is in it.
func (b *bucket) missing(listed []digest) ([]digest, bool) {
	added := len(listed) - b.count
	switch {
	case added < 0:
		return nil, false
	case added > b.count:
		seen, ok := subset(listed, b.count, b.sum)
		return without(listed, seen), ok
	}
	return subset(listed, added, b.sum.xor(sumOf(listed)))
}

// mostTries bounds the search for a subset. With the number of events in a second, it bounds how many subsets are compared,
// and with that the chance of a wrong one.
const mostTries = 1 << 13

// subset returns n of all, which are sorted, with a given sum. It gives up where that would take long.
func subset(all []digest, n int, sum digest) ([]digest, bool) {
	tries := 1
	for i := range max(n-1, 0) {
		if tries = tries * (len(all) - i) / (i + 1); tries > mostTries {
			return nil, false
		}
	}
	return choose(all, n, sum)
}

func choose(all []digest, n int, sum digest) ([]digest, bool) {
	switch n {
	case 0:
		return nil, sum == digest{}
	case 1:
		return []digest{sum}, contains(all, sum)
	}
	for i, d := range all {
		if rest, ok := choose(all[i+1:], n-1, sum.xor(d)); ok {
			return append([]digest{d}, rest...), true
		}
	}
	return nil, false
}

func contains(sorted []digest, d digest) bool {
	_, found := slices.BinarySearchFunc(sorted, d, digest.compare)
	return found
}

// without returns the elements of a that are not in b. Both are sorted, and so is the result.
func without(a, b []digest) []digest {
	if len(b) == 0 {
		return slices.Clone(a)
	}
	return slices.DeleteFunc(slices.Clone(a), func(d digest) bool { return contains(b, d) })
}

// prefix returns the 48 bits that states of earlier versions held of an id.
func (d digest) prefix() [prefixSize]byte {
	var wide [8]byte
	binary.BigEndian.PutUint64(wide[:], d.high)
	return [prefixSize]byte(bytes.Clone(wide[:prefixSize]))
}

const prefixSize = 6
