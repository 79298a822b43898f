package stripe

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// atOnce is how many changes are applied side by side, and their records held until all are there.
const atOnce = 100

// apply sends the records that the events of a stretch, the newest first, mean.
func (s *sweep) apply(ctx context.Context, events []event) error {
	if err := s.record(ctx, events); err != nil {
		return err
	}
	// What an event carries of a child comes before what its parent's deletion or a new list takes away. What is read again
	// in a list comes before what is read by itself, so that of an object that is in both the newer comes last.
	var order [4][]*change
	lists := map[subject]*change{}
	for _, c := range s.changes(events) {
		again := !c.gone() && !c.carries(s.run.updateMode)
		list, ofParent := c.siblings()
		switch {
		case again && ofParent && lists[list] != nil:
			maps.Copy(lists[list].outs, c.outs) // one list is enough for all that changed below a parent
		case again && ofParent:
			lists[list] = c
			order[2] = append(order[2], c)
		case again && c.role == partOfList:
			order[2] = append(order[2], c)
		case again:
			order[3] = append(order[3], c)
		case c.role == childObject:
			order[0] = append(order[0], c)
		default:
			order[1] = append(order[1], c)
		}
	}
	for _, changes := range order {
		for len(changes) > 0 {
			n := min(atOnce, len(changes))
			if err := s.applyAll(ctx, changes[:n]); err != nil {
				return err
			}
			changes = changes[n:]
		}
	}
	return nil
}

// record sends the events themselves, oldest first, where they are a stream.
func (s *sweep) record(ctx context.Context, events []event) error {
	for _, out := range s.outputs {
		if !out.stream.appendOnly() {
			continue
		}
		h := newHarvest("")
		for i := range events {
			e := &events[len(events)-1-i]
			if !out.applied(e, s.now) {
				h.add(out, connector.Record{Data: e.Raw, Operation: connector.Upsert, AsOf: second(e.Created).time(), Key: e.ID})
			}
		}
		if err := s.run.emitter.flush(ctx, s.outputs, h); err != nil {
			return err
		}
	}
	return nil
}

// applyAll applies changes side by side and sends their records in order.
func (s *sweep) applyAll(ctx context.Context, changes []*change) error {
	harvests := make([]*harvest, len(changes))
	requests, requestsCtx := errgroup.WithContext(ctx)
	requests.SetLimit(max(1, s.run.client.AllWorkers()))
	for i, c := range changes {
		requests.Go(func() (err error) {
			harvests[i], err = s.applyOne(requestsCtx, c)
			if failure, ok := asFailure(err); ok && failure.Class == connector.PermissionError {
				return s.run.emitter.end(requestsCtx, slices.Collect(maps.Keys(c.outs)), err) // the others go on
			}
			return err
		})
	}
	if err := requests.Wait(); err != nil {
		return err
	}
	all := newHarvest("")
	for i, h := range harvests {
		s.remember(changes[i], h)
		all.append(h)
	}
	return s.run.emitter.flush(ctx, s.outputs, all)
}

// remember notes when a change was read again, as an object and in lists: events well before that have nothing newer. A
// list that gave what it gave before has nothing to send.
func (s *sweep) remember(c *change, h *harvest) {
	note := func(of readingOf, sum uint64) {
		s.run.readAgain[of] = reading{c.readAt, sum}
		of.out.readAt(c.readAt)
	}
	for _, list := range c.lists {
		sum := h.sum(s.run.seed, list.out)
		if before, ok := s.run.readAgain[list]; ok && before.sum == sum && !h.partial {
			delete(h.records, list.out)
		}
		s.listed[list] = c.readAt
		if list.subject.role == partOfList { // any of its objects may be newer than events until now
			list.out.floor = max(list.out.floor, c.readAt+readMargin+1)
		}
		note(list, sum)
	}
	for out := range c.outs {
		listed := slices.ContainsFunc(c.lists, func(list readingOf) bool { return list.out == out })
		if c.asked && !listed {
			note(readingOf{out, c.subject}, 0)
		}
	}
}

// applyOne gives the records that a change means.
func (s *sweep) applyOne(ctx context.Context, c *change) (*harvest, error) {
	e := c.newest()
	g := &gatherer{run: s.run, outputs: s.outputs, change: true, harvest: newHarvest(e.ID)}
	g.harvest.wanted = func(out *output) bool { return c.outs[out] }
	asOf := c.at.time()
	c.readAt = second(s.run.now().Unix())
	var err error
	switch {
	case c.gone():
		g.gone(c.member, e.about, asOf)
	case !c.carries(s.run.updateMode):
		c.asked = true
		err = g.again(ctx, c, e)
	case c.role == childObject:
		parent := parentOf(c.stream, e.about)
		if parent == "" {
			break // of nobody whose children are listed
		}
		err = g.keep(ctx, c.member, []rawjson.Object{e.about}, place{parent: rawjson.Object{ID: parent}}, asOf)
	default:
		err = g.gather(ctx, c.member, []rawjson.Object{e.about}, place{}, asOf)
	}
	c.lists = g.listed
	return g.harvest, err
}

// gone takes an object away, and all that was below it.
func (g *gatherer) gone(m *member, object rawjson.Object, asOf time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, out := range m.outputs {
		if g.harvest.wants(out) && (out.stream.Object == object.Type || object.Type == "") {
			g.harvest.remove(out, object.Raw, object.ID, asOf)
		}
	}
	for _, child := range m.children {
		g.harvest.replace(child, object.ID, asOf)
	}
}

// again reads what changed from Stripe.
func (g *gatherer) again(ctx context.Context, c *change, e *event) error {
	switch c.role {
	case partOfList:
		for _, out := range c.member.outputs {
			if param := out.stream.Via[e.kind]; param != "" {
				return g.part(ctx, c.member, param, c.id)
			}
		}
		return nil
	case allChildren:
		return g.children(ctx, c.member, c.id)
	case childObject:
		if parent := parentOf(c.stream, e.about); parent != "" {
			return g.children(ctx, c.member, parent)
		}
		return nil
	case ownObject:
	}
	return g.retrieve(ctx, c.member, c.id)
}

// retrieve reads one object again, with the children that follow it.
func (g *gatherer) retrieve(ctx context.Context, m *member, id string) error {
	query := url.Values{}
	for _, child := range m.children {
		if child.stream.Expand && child.follows() {
			query.Add("expand[]", child.stream.Embedded)
		}
	}
	asOf := g.run.now()
	object, gone, err := g.run.object(ctx, m, id, query)
	if gone {
		g.harvest.wanted = nil // it is gone for whoever had it
		g.gone(m, rawjson.Object{ID: id, Raw: rawjson.WithMember("{}", "id", rawjson.Quote(id))}, asOf)
		return nil
	}
	if err != nil {
		return err
	}
	return g.gather(ctx, m, []rawjson.Object{object}, place{}, asOf)
}

// object reads one object, or tells that it is gone.
func (r *run) object(ctx context.Context, m *member, id string, query url.Values) (object rawjson.Object, gone bool, err error) {
	object, err = r.client.Get(ctx, m.stream.retrieve(place{}, id), query)
	if api.HasNone(err) {
		return object, true, nil
	}
	deleted, _ := rawjson.Lookup(object.Raw, "deleted")
	return object, err == nil && deleted == "true", err
}

// children lists what is below a parent again.
func (g *gatherer) children(ctx context.Context, m *member, parent string) error {
	at := place{pageSize: g.run.pageSize, parent: rawjson.Object{ID: parent, Raw: rawjson.WithMember("{}", "id", rawjson.Quote(parent))}}
	asOf := g.run.now()
	g.replace(m, parent, asOf)
	return g.pages(ctx, m, at, rawjson.List{HasMore: true}, asOf)
}

// part lists the part of a root's list that a parameter names.
func (g *gatherer) part(ctx context.Context, m *member, param, id string) error {
	g.list(m, subject{m.stream, partOfList, id})
	path, query := m.list(place{pageSize: g.run.pageSize})
	query.Set(param, id)
	for {
		page, err := g.run.client.List(ctx, path, query)
		if api.IsCursorGone(err) && query.Has("starting_after") {
			query.Del("starting_after")
			continue
		}
		if api.HasNone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := g.gather(ctx, m, page.Objects, place{}, page.AsOf); err != nil {
			return err
		}
		if !page.HasMore || len(page.Objects) == 0 {
			return nil
		}
		query.Set("starting_after", page.Objects[len(page.Objects)-1].ID)
	}
}
