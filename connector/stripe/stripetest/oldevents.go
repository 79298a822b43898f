package stripetest

// OldShape describes events whose payload has the shape of another API version. Stripe renders a payload in the version that
// was the account's default when the event happened (https://docs.stripe.com/api/events/object#event_object-api_version).
type OldShape struct {
	// Share is the share of new events, from 0 to 1, with this shape.
	Share float64
	// Version is the events' api_version.
	Version string
	// Edits are the differences of the payloads from those of the account's version, by object type. If nil, payloads have the renamed
	// and missing properties of 2018.
	//
	//	{"invoice": {{Property: "lines", JSON: `{"invoiceitems":[],"prorations":[],"subscriptions":[]}`}}} // before 2012-10-26
	//	{"subscription": {{Property: "items"}, {Property: "id"}}}                                         // the worst of all versions
	Edits map[string][]Edit
}

// SetOldEvents replaces Options.OldEvents and Options.OldVersion for events that happen from now on.
func (s *Stripe) SetOldEvents(shape OldShape) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.oldShapes = append(s.oldShapes, shape)
}

// oldShape returns the index of a new event's shape, or -1 for that of the account's version.
func (s *Stripe) oldShape(chance uint64) int {
	last := len(s.oldShapes) - 1
	if float64(chance>>11)/(1<<53) < s.oldShapes[last].Share {
		return last
	}
	return -1
}

// payload renders the object that an event is about.
func (r *renderer) payload(e *event, level int) {
	shapes := e.object.store.account.stripe.oldShapes
	of := r.model
	defer func() { r.model = of }()
	r.model = e.object.store.account.stripe.modelOf(e.object.store.account.stripe.versions[e.version])
	if e.old < 0 || shapes[e.old].Edits == nil {
		r.object(e.object, e.revision, nil, level, e.old >= 0)
		return
	}
	start := len(r.buf)
	r.object(e.object, e.revision, nil, level, false)
	r.edit(shapes[e.old].Edits[e.object.store.kind.object], start)
}
