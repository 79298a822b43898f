package stripetest

// Lists that never end, or end incorrectly. These faults apply to lists with cursors.
const (
	// RepeatedPage returns the first page with has_more whatever the cursor, so the same cursor comes back.
	RepeatedPage FaultKind = iota + 200
	// OverlappingPages begin with the cursor's own object. With a page size of one, nothing new ever arrives.
	OverlappingPages
	// MoreForever sets has_more on the last page and on any page after it. Those later pages contain only the last object.
	MoreForever
	// EmptyPage returns a page without items that has has_more set.
	EmptyPage
)

// page returns the items of a page, modified by the request's fault.
func (x *exchange) page(a *Account, q *query, parent *ref) (items []ref, more bool, err *apiError) {
	kind := Slow
	if x.fault != nil {
		kind = x.fault.Kind
	}
	switch kind {
	case RepeatedPage:
		q.after, q.before = "", ""
	case OverlappingPages:
		q.inclusive = true
	}
	items, more, err = a.page(q, parent)
	if err == nil && kind == MoreForever && len(items) == 0 && q.after != "" {
		q.inclusive = true
		items, more, err = a.page(q, parent)
	}
	switch kind {
	case RepeatedPage, MoreForever:
		more = true
	case EmptyPage:
		items, more = nil, true
	}
	return items, more, err
}
