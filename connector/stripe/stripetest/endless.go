package stripetest

// Lists that do not end, or not as they should. They apply to lists with cursors.
const (
	// RepeatedPage is the first page, whatever the cursor, with has_more: the same cursor comes back.
	RepeatedPage FaultKind = iota + 200
	// OverlappingPages begin with the object that the cursor names. With a page size of one, nothing new ever comes.
	OverlappingPages
	// MoreForever is a list whose last page, and the pages after it, say has_more. Those have its last object only.
	MoreForever
	// EmptyPage is a page without items that says has_more.
	EmptyPage
)

// page returns the items of a page, as the fault of the request has them.
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
