package stripetest

import (
	"cmp"
	"slices"
	"sort"
	"sync"
)

// resolve returns the object that a relation of an object points to. The result is constant throughout the object's life.
func (s *store) resolve(ordinal int32, r *relation) (ref, bool) {
	if links := s.changes.links[ordinal]; links != nil {
		if target, ok := links[r.field]; ok {
			return target, target.store != nil
		}
	}
	switch {
	case r.field == "^":
		return ref{s.parent, ordinal / stride}, true
	case r.newest != "":
		return s.account.stores[r.kinds[0]].newest(r.newest, ref{s, ordinal})
	case r.via != "":
		through, ok := s.resolve(ordinal, s.kind.relation(r.via))
		if ok && r.take == "" {
			return through, true
		}
		if ok {
			next := through.store.kind.relation(r.take)
			if next == nil {
				return ref{}, false
			}
			return through.store.resolve(through.ordinal, next)
		}
	}
	return s.pick(ordinal, r, 0)
}

// pick picks a pseudo-random target among the initial objects that are not newer than this one.
func (s *store) pick(ordinal int32, r *relation, attempt uint64) (ref, bool) {
	d := draw(s.seed, ordinal, r.salt+attempt)
	if int(d%100) >= r.odds || len(r.kinds) == 0 {
		return ref{}, false
	}
	target := s.account.stores[r.kinds[int(d>>8&0xff)%len(r.kinds)]]
	if target.parent != nil {
		return s.pickChild(ordinal, target, d, r.always)
	}
	n := int(target.initial)
	if at := s.time(ordinal); !r.always && n > 0 && target.created[n-1] > at {
		n = sort.Search(n, func(i int) bool { return target.created[i] > at })
		if n == 0 && r.odds == 100 {
			// No target is old enough, but one is required.
			n = 1
		}
	}
	if n == 0 {
		return ref{}, false
	}
	return ref{target, int32((d >> 16) % uint64(n))}, true
}

// pickChild picks among the children of the parent that this object points to as well, or of any parent.
func (s *store) pickChild(ordinal int32, target *store, d uint64, always bool) (ref, bool) {
	for i := range s.kind.relations {
		r := &s.kind.relations[i]
		if !slices.Contains(r.kinds, target.kind.parent) && r.field != target.kind.parent {
			continue
		}
		if parent, ok := s.resolve(ordinal, r); ok {
			if child, ok := target.childOf(parent.ordinal, d); ok || !always {
				return child, ok
			}
		}
		break
	}
	for attempt := range uint64(32) {
		anyone := relation{kinds: []string{target.kind.parent}, odds: 100, salt: d, always: always}
		if parent, ok := s.pick(ordinal, &anyone, attempt); ok {
			if child, ok := target.childOf(parent.ordinal, d); ok {
				return child, true
			}
		}
	}
	return ref{}, false
}

// childOf picks one of a parent's initial children.
func (s *store) childOf(parent int32, d uint64) (ref, bool) {
	n := s.initialCount(parent)
	if n == 0 {
		return ref{}, false
	}
	return ref{s, parent*stride + int32((d>>16)%uint64(n))}, true
}

// index finds the initial objects that point to a given object through one relation.
type index struct {
	once sync.Once
	// keys are the sorted targets. ordinals are the objects pointing to them, oldest first for each key.
	keys     []uint64
	ordinals []int32

	// later holds the objects created at run time, by target. upTo is the first ordinal not yet in it.
	lock  sync.Mutex
	later map[uint64][]int32
	upTo  int32
}

func (t ref) key() uint64 { return uint64(t.store.kindNumber())<<32 | uint64(uint32(t.ordinal)) }

func (s *store) kindNumber() int { return s.shape.number }

// index returns the index of a relation, building it on first use.
func (s *store) index(field string) *index {
	s.indexLock.Lock()
	x := s.indexes[field]
	if x == nil {
		x = &index{}
		s.indexes[field] = x
	}
	s.indexLock.Unlock()
	x.once.Do(func() { x.build(s, s.kind.relation(field)) })
	return x
}

func (x *index) build(s *store, r *relation) {
	type pair struct {
		key     uint64
		ordinal int32
	}
	var pairs []pair
	for ordinal := range s.initial {
		if target, ok := s.resolve(ordinal, r); ok {
			pairs = append(pairs, pair{target.key(), ordinal})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.ordinal, b.ordinal)) })
	x.keys, x.ordinals = make([]uint64, len(pairs)), make([]int32, len(pairs))
	for i, p := range pairs {
		x.keys[i], x.ordinals[i] = p.key, p.ordinal
	}
}

func (x *index) find(target ref) []int32 {
	key := target.key()
	low, _ := slices.BinarySearch(x.keys, key)
	high, _ := slices.BinarySearch(x.keys, key+1)
	return x.ordinals[low:high]
}

// findLater returns the objects created at run time that point to the target. Their relations were fixed at creation, except
// for newest relations, by which no list is filtered.
func (x *index) findLater(s *store, r *relation, target ref) []int32 {
	x.lock.Lock()
	defer x.lock.Unlock()
	if x.later == nil {
		x.later, x.upTo = map[uint64][]int32{}, s.initial
	}
	for ; int(x.upTo) < len(s.created); x.upTo++ {
		if t, ok := s.resolve(x.upTo, r); ok {
			x.later[t.key()] = append(x.later[t.key()], x.upTo)
		}
	}
	return x.later[target.key()]
}

// newest returns the newest initial object that points to the target. Later objects do not count, because they would change
// the target without an event.
func (s *store) newest(field string, target ref) (ref, bool) {
	found := s.index(field).find(target)
	if len(found) == 0 {
		return ref{}, false
	}
	return ref{s, found[len(found)-1]}, true
}

// pointing returns the living objects that point to the target, oldest first.
func (s *store) pointing(field string, target ref) []int32 {
	if field == "^" {
		return s.children(target.ordinal, s.parent.revision(target.ordinal))
	}
	r := s.kind.relation(field)
	var list []int32
	for _, ordinal := range s.index(field).find(target) {
		if s.isAlive(ordinal) {
			list = append(list, ordinal)
		}
	}
	for _, ordinal := range s.index(field).findLater(s, r, target) {
		if s.isAlive(ordinal) {
			list = append(list, ordinal)
		}
	}
	slices.SortFunc(list, s.before)
	return list
}
