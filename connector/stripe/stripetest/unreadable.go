package stripetest

import (
	"slices"
	"time"
)

// Unreadable returns the ids of the objects in Truth(path) that are affected by a fault in force that names an object: their
// retrieval, the pages that contain them, or the lists below them fail. A test may accept that these, and only these, are
// missing or stale. Faults that name no object do not count, nor do edits; see Distorted.
func (a *Account) Unreadable(path string) map[string]bool {
	faults := a.stripe.faults.about(a.stripe.Now())
	return a.idsWhere(path, func(r *route, t ref, parent *ref) bool {
		return slices.ContainsFunc(faults, func(f Fault) bool {
			return f.concerns(r.path) && f.isAbout(t) || parent != nil && (f.concerns(r.path) || !f.below(parent.store)) && f.isAbout(*parent)
		})
	})
}

// Distorted returns the ids of the objects in Truth(path) that Distort changed, or whose parent it changed.
func (a *Account) Distorted(path string) map[string]bool {
	return a.idsWhere(path, func(_ *route, t ref, parent *ref) bool {
		return a.edits[t] != nil || parent != nil && a.edits[*parent] != nil
	})
}

// idsWhere returns the ids of a list's objects for which so returns true.
func (a *Account) idsWhere(path string, so func(r *route, t ref, parent *ref) bool) map[string]bool {
	r, ids := a.listRoute(path)
	found := map[string]bool{}
	a.stripe.lock.RLock()
	defer a.stripe.lock.RUnlock()
	a.walk(r, ids, func(t ref, parent *ref) bool {
		if parent == nil && t.store.parent != nil {
			parent = &ref{t.store.parent, t.ordinal / stride}
		}
		if so(r, t, parent) {
			found[t.store.id(t.ordinal)] = true
		}
		return true
	})
	return found
}

// about returns the faults in force that name an object.
func (f *faults) about(now time.Time) []Fault {
	f.lock.Lock()
	defer f.lock.Unlock()
	var list []Fault
	for _, active := range f.list {
		if active.isInForce(now) && active.Object+active.Containing != "" {
			list = append(list, active.Fault)
		}
	}
	return list
}

// isAbout reports whether the fault is about an object.
func (f *Fault) isAbout(t ref) bool {
	return f.Object != "" && t.named(f.Object) || f.Containing != "" && t.named(f.Containing)
}

// concerns reports whether the fault affects a list or the retrieval of its objects.
func (f *Fault) concerns(path string) bool {
	return f.Path == "" || f.Path == path || f.Path == path+"/{id}"
}

// below reports whether the fault affects only a list below the objects of a store.
func (f *Fault) below(parents *store) bool {
	if f.Path == "" {
		return false
	}
	end, _ := parents.shape.model.match(splitPath(f.Path))
	return end != nil && end.route != nil && end.route.nested() && !slices.Contains(end.route.kinds, parents.kind.name)
}
