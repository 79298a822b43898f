package stripetest

import (
	"cmp"
	"slices"
	"sync"
)

// ref identifies an object by its store and its ordinal there.
type ref struct {
	store   *store
	ordinal int32
}

// store holds the objects of one kind in one account. It keeps a creation time per object and the changes made at run time.
// Everything else is a function of the seed and the ordinal. The Stripe's lock guards it.
type store struct {
	account *Account
	kind    *kind
	shape   *shape
	seed    uint64
	// parent is the store of the parents, or nil.
	parent *store
	// initial is the initial number of objects, whose ordinals are in order of creation.
	initial int32
	// created holds the creation times by ordinal, and order the ordinals of living objects, oldest first. Both are empty for
	// stores with a parent.
	created []uint32
	order   []int32
	// fixed is the number of children of each parent, or -1 if the number varies.
	fixed int

	changes changes

	indexLock sync.Mutex
	indexes   map[string]*index
}

// changes holds everything that happened to a store at run time.
type changes struct {
	// revisions has an entry for each update of an object.
	revisions map[int32][]revision
	// links holds the relations of objects created at run time.
	links map[int32]map[string]ref
	// visible holds when objects created at run time become visible, unless that is immediately.
	visible map[int32]visibility
	// dead holds the deleted objects. For a child, the value is the first revision of the parent without it.
	dead map[int32]int32
	// added holds, for each parent, the first revision with each additional child.
	added map[int32][]int32
	// addedAt holds the creation times of those children.
	addedAt map[int32]uint32
	// pinned holds the variants of objects created or updated with given fields.
	pinned map[int32]int
	// ids holds the ids chosen at creation, and byID their ordinals. Both are nil while there are none.
	ids  map[int32]string
	byID map[string]int32
}

type revision struct{ variant int }

func newChanges() changes {
	return changes{revisions: map[int32][]revision{}, links: map[int32]map[string]ref{}, visible: map[int32]visibility{}, dead: map[int32]int32{},
		added: map[int32][]int32{}, addedAt: map[int32]uint32{}, pinned: map[int32]int{}}
}

// time returns an object's creation time in Unix seconds.
func (s *store) time(ordinal int32) uint32 {
	if s.parent == nil {
		return s.created[ordinal]
	}
	if at, ok := s.changes.addedAt[ordinal]; ok {
		return at
	}
	return s.parent.time(ordinal/stride) + uint32(ordinal%stride)
}

// isAlive reports whether an object exists and has not been deleted.
func (s *store) isAlive(ordinal int32) bool {
	if _, dead := s.changes.dead[ordinal]; dead {
		return false
	}
	if s.parent == nil {
		return int(ordinal) < len(s.created)
	}
	parent := ordinal / stride
	return s.parent.isAlive(parent) && ordinal%stride < s.count(parent, s.parent.revision(parent))
}

// count returns the number of children of a parent at a revision, including those deleted since.
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
		// A parent created at run time starts with the smallest sensible number of children.
		return int32(s.kind.few[0])
	}
	n := s.fixed
	if n < 0 {
		d := draw(s.seed, parent, 2)
		minimum, maximum := s.kind.few[0], s.kind.few[1]
		if d%100 >= 85 {
			minimum, maximum = maximum, s.kind.many
		}
		n = minimum + int(d>>33)%(maximum-minimum+1)
	}
	return int32(n)
}

// rootInitial returns the first ordinal that cannot belong to an initial object.
func (s *store) rootInitial(ordinal int32) int32 {
	if s.parent == nil {
		return s.initial
	}
	if ordinal/stride >= s.parent.rootInitial(ordinal/stride) {
		return 0
	}
	return ordinal + 1
}

// children returns the children of a parent at a revision, oldest first. Timeless children are in the reverse of Stripe's
// order, because lists are read from the end.
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

// revision returns the number of changes made to an object.
func (s *store) revision(ordinal int32) int32 {
	n := int32(len(s.changes.revisions[ordinal]))
	if s.kind.isTied() {
		n += s.parent.revision(ordinal / stride)
	}
	return n
}

// before compares objects by creation time, then by ordinal, which is the stable order of lists.
func (s *store) before(a, b int32) int {
	if order := cmp.Compare(s.time(a), s.time(b)); order != 0 {
		return order
	}
	if s.kind.name == "event" && s.account.stripe.options.ShuffleTies {
		return cmp.Compare(draw(s.seed, a, 11), draw(s.seed, b, 11))
	}
	return cmp.Compare(a, b)
}

// insert adds an object at its position in the order.
func (s *store) insert(created uint32) int32 {
	ordinal := int32(len(s.created))
	s.created = append(s.created, created)
	at, _ := slices.BinarySearchFunc(s.order, ordinal, s.before)
	s.order = slices.Insert(s.order, at, ordinal)
	return ordinal
}

// remove removes an object from the order.
func (s *store) remove(ordinal int32) {
	if at, found := slices.BinarySearchFunc(s.order, ordinal, s.before); found {
		s.order = slices.Delete(s.order, at, at+1)
	}
}
