package stripetest

import (
	"cmp"
	"slices"
	"sync"
)

// ref names an object: a store and the ordinal in it.
type ref struct {
	store   *store
	ordinal int32
}

// store has the objects of one kind in one account. It keeps a time of creation per object and what was changed at run
// time; everything else is a function of the seed and the ordinal. The Stripe's lock guards it.
type store struct {
	account *Account
	kind    *kind
	shape   *shape
	seed    uint64
	// parent is the store of the parents, or nil.
	parent *store
	// initial is how many objects there were in the beginning; their ordinals are in order of creation.
	initial int32
	// created has the time of creation by ordinal, and order the ordinals of the living, oldest first. Both are empty for
	// stores with a parent.
	created []uint32
	order   []int32
	// fixed is the number of children each parent has, or -1 for a number that differs.
	fixed int

	changes changes

	indexLock sync.Mutex
	indexes   map[string]*index
}

// changes is what happened to a store at run time.
type changes struct {
	// revisions has an entry for each update of an object.
	revisions map[int32][]revision
	// links are the relations of objects that were created at run time.
	links map[int32]map[string]ref
	// visible is when objects that were created at run time become visible, where that is not at once.
	visible map[int32]visibility
	// dead objects are those that were deleted. For a child, the value is the parent's revision that lacks it.
	dead map[int32]int32
	// added has, for each parent, the parent's revision that has the additional child.
	added map[int32][]int32
	// addedAt is the time of creation of such children.
	addedAt map[int32]uint32
	// pinned is the variant of an object that was created or updated with given fields.
	pinned map[int32]int
	// ids are the ids that were chosen at creation, and byID their ordinals. Both are nil while there are none.
	ids  map[int32]string
	byID map[string]int32
}

type revision struct{ variant int }

func newChanges() changes {
	return changes{revisions: map[int32][]revision{}, links: map[int32]map[string]ref{}, visible: map[int32]visibility{}, dead: map[int32]int32{},
		added: map[int32][]int32{}, addedAt: map[int32]uint32{}, pinned: map[int32]int{}}
}

// time returns the second in which an object was created.
func (s *store) time(ordinal int32) uint32 {
	if s.parent == nil {
		return s.created[ordinal]
	}
	if at, ok := s.changes.addedAt[ordinal]; ok {
		return at
	}
	return s.parent.time(ordinal/stride) + uint32(ordinal%stride)
}

// alive says whether an object exists and was not deleted.
func (s *store) alive(ordinal int32) bool {
	if _, dead := s.changes.dead[ordinal]; dead {
		return false
	}
	if s.parent == nil {
		return int(ordinal) < len(s.created)
	}
	parent := ordinal / stride
	return s.parent.alive(parent) && ordinal%stride < s.count(parent, s.parent.revision(parent))
}

// count returns how many children a parent has in a revision, those deleted since then included.
func (s *store) count(parent, revision int32) int32 {
	n := s.initialCount(parent)
	for _, since := range s.changes.added[parent] {
		if since <= revision {
			n++
		}
	}
	return min(n, stride)
}

func (s *store) initialCount(parent int32) int32 {
	if parent >= s.parent.rootInitial(parent) && s.fixed < 0 {
		// A parent that was created at run time has the fewest children that make sense.
		return int32(s.kind.few[0])
	}
	n := s.fixed
	if n < 0 {
		d := draw(s.seed, parent, 2)
		least, most := s.kind.few[0], s.kind.few[1]
		if d%100 >= 85 {
			least, most = most, s.kind.many
		}
		n = least + int(d>>33)%(most-least+1)
	}
	return int32(n)
}

// rootInitial returns the first ordinal that cannot be an initial object's.
func (s *store) rootInitial(ordinal int32) int32 {
	if s.parent == nil {
		return s.initial
	}
	if ordinal/stride >= s.parent.rootInitial(ordinal/stride) {
		return 0
	}
	return ordinal + 1
}

// children returns the children of a parent in a revision of it, oldest first; timeless ones are in Stripe's order, which is
// reversed here because lists are read from the end.
func (s *store) children(parent, revision int32) []int32 {
	n := s.count(parent, revision)
	list := make([]int32, 0, n)
	for k := range n {
		ordinal := parent*stride + k
		if since, dead := s.changes.dead[ordinal]; !dead || revision < since {
			list = append(list, ordinal)
		}
	}
	if s.kind.timeless {
		slices.Reverse(list)
	}
	return list
}

// all returns the living objects, oldest first.
func (s *store) all() []int32 {
	if s.parent == nil {
		return s.order
	}
	var list []int32
	for _, parent := range s.parent.all() {
		list = append(list, s.children(parent, s.parent.revision(parent))...)
	}
	return list
}

// revision returns the number of times that an object was changed.
func (s *store) revision(ordinal int32) int32 {
	n := int32(len(s.changes.revisions[ordinal]))
	if s.kind.tied() {
		n += s.parent.revision(ordinal / stride)
	}
	return n
}

// before compares objects by time of creation, and then by ordinal, which is the stable order that lists have.
func (s *store) before(a, b int32) int {
	if order := cmp.Compare(s.time(a), s.time(b)); order != 0 {
		return order
	}
	if s.kind.name == "event" && s.account.stripe.options.ShuffleTies {
		return cmp.Compare(draw(s.seed, a, 11), draw(s.seed, b, 11))
	}
	return cmp.Compare(a, b)
}

// insert adds an object at its place in the order.
func (s *store) insert(created uint32) int32 {
	ordinal := int32(len(s.created))
	s.created = append(s.created, created)
	at, _ := slices.BinarySearchFunc(s.order, ordinal, s.before)
	s.order = slices.Insert(s.order, at, ordinal)
	return ordinal
}

// remove takes an object out of the order.
func (s *store) remove(ordinal int32) {
	if at, found := slices.BinarySearchFunc(s.order, ordinal, s.before); found {
		s.order = slices.Delete(s.order, at, at+1)
	}
}
