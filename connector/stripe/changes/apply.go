package changes

import (
	"context"
	"maps"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/ledger"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// atOnce is how many changes are applied concurrently. Their records are held in memory until all of them are complete.
const atOnce = 100

// apply sends the records that follow from the events of a look, which are ordered from newest to oldest.
func (s *sweep) apply(ctx context.Context, look ledger.Look, events []Event) error {
	if err := s.record(ctx, look, events); err != nil {
		return err
	}
	for _, changes := range s.inOrder(look, events) {
		for batch := range slices.Chunk(changes, atOnce) {
			if err := s.applyAll(ctx, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// inOrder returns the changes that follow from events, in groups to apply one after the other. Payloads of children come before
// the deletion or re-listing of their parents, which may remove them. Lists are re-read before single objects, so that the newer
// version of an object that is in both comes last.
func (s *sweep) inOrder(look ledger.Look, events []Event) [4][]*change {
	var order [4][]*change
	lists := map[subject]*change{}
	for _, c := range s.changes(look, events) {
		rereads := !c.isDeleted() && !c.canUsePayload(s.Options)
		if rereads {
			s.noteVersion(c)
		}
		list, ofParent := c.siblings()
		switch {
		case rereads && ofParent && lists[list] != nil:
			maps.Copy(lists[list].news, c.news) // one list covers all changes below a parent
		case rereads && ofParent:
			lists[list] = c
			order[2] = append(order[2], c)
		case rereads && c.role == partOfList:
			order[2] = append(order[2], c)
		case rereads:
			order[3] = append(order[3], c)
		case c.role == childObject:
			order[0] = append(order[0], c)
		default:
			order[1] = append(order[1], c)
		}
	}
	return order
}

// record sends the events themselves, oldest first, for streams of events.
func (s *sweep) record(ctx context.Context, look ledger.Look, events []Event) error {
	for _, stream := range s.streams {
		if !stream.Row.AppendOnly() {
			continue
		}
		h, asOf := family.NewHarvest(family.Cause{}, nil), s.reader.Client.AsOf()
		moments := make([]ledger.Event, len(events))
		for i := range events {
			moments[i] = events[i].moment()
		}
		news := stream.Changes.Events.Observe(look, moments)
		for i, e := range slices.Backward(events) {
			if news[i] {
				h.Add(stream, connector.Record{Data: e.Raw, Operation: connector.Upsert, AsOf: asOf, Key: e.ID})
			}
		}
		if err := h.Commit(ctx, s.reader.Emitter, s.streams, emit.Commit{}); err != nil {
			return err
		}
	}
	return nil
}

// applyAll applies changes concurrently and sends their records in order.
func (s *sweep) applyAll(ctx context.Context, changes []*change) error {
	harvests := make([]*family.Harvest, len(changes))
	requests, requestsCtx := emit.NewGroup(ctx)
	requests.SetLimit(max(1, s.reader.Client.AllWorkers()))
	for i, c := range changes {
		requests.Go(func() (err error) {
			if harvests[i], err = s.applyOne(requestsCtx, c); err != nil {
				harvests[i], err = s.continueWithout(requestsCtx, c, err)
			}
			return err
		})
	}
	if err := requests.Wait(); err != nil {
		return err
	}
	all := family.NewHarvest(family.Cause{}, nil)
	for i, h := range harvests {
		s.remember(changes[i], h)
		all.Append(h)
	}
	return all.Commit(ctx, s.reader.Emitter, s.streams, emit.Commit{Advance: func() {
		for _, c := range changes {
			c.markReread()
		}
	}})
}

// markReread notes in the cursors of streams what was re-read: those records may be newer than events until now.
func (c *change) markReread() {
	for _, of := range c.read {
		if of.subject.role == partOfList {
			of.stream.MarkRead(c.readAt) // any object of the list
		}
		of.stream.Changes.Reread.MarkKey(of.subject.key(), c.readAt+selected.ReadMargin)
	}
}

// remember notes when the objects and lists of a change were re-read, so that older events don't cause another request. If a
// list yielded the same records as before, they aren't sent again.
func (s *sweep) remember(c *change, h *family.Harvest) {
	note := func(of readingOf, sum uint64) {
		s.reread[of] = reading{c.readAt, sum}
		c.read = append(c.read, of)
	}
	for _, list := range c.lists {
		sum := h.Hash(s.seed, list.stream)
		if before, ok := s.reread[list]; ok && before.sum == sum && !h.Partial {
			h.Drop(list.stream)
		}
		s.listed[list] = c.readAt
		note(list, sum)
	}
	for stream := range c.news {
		of := readingOf{stream, c.whole()}
		if c.due != 0 {
			s.await(of, c.newest().moment(), c.due)
			continue
		}
		s.release(of)
		listed := slices.ContainsFunc(c.lists, func(list readingOf) bool { return list.stream == stream })
		if c.asked && !listed {
			note(of, 0)
		}
		if c.asked && of.subject.role == ownObject && c.member.HasExpansions() {
			columns := readingOf{stream, subject{c.row, shownObject, c.id}}
			s.listed[columns] = c.readAt
			note(columns, 0)
		}
	}
}

// applyOne returns the records that follow from a change.
func (s *sweep) applyOne(ctx context.Context, c *change) (*family.Harvest, error) {
	e := c.newest()
	g := s.reader.Change(s.streams, e.cause(), func(stream *selected.Stream) bool { return c.news[stream] })
	g.Before(c.childrenBefore)
	asOf := c.at.Time()
	c.readAt = clock.Of(s.reader.Now())
	var err error
	switch {
	case c.isDeleted():
		g.Remove(c.member, e.About, asOf)
	case !c.canUsePayload(s.Options):
		c.asked = true
		err = s.rereadChange(ctx, g, c, e)
	case c.role == childObject:
		parent := parentOf(c.row, e.About)
		if parent == "" {
			break // without a parent, the children can't be listed
		}
		at := table.Place{Parent: rawjson.Object{ID: parent}}
		err = g.Keep(ctx, c.member, []rawjson.Object{e.About}, at, asOf)
	default:
		err = g.Gather(ctx, c.member, []rawjson.Object{e.About}, table.Place{}, asOf)
	}
	for _, l := range g.Listed() {
		c.lists = append(c.lists, readingOf{l.Stream, childrenOf(l.Row, l.Parent)})
	}
	return g.Harvest(), err
}

// rereadChange reads what changed from Stripe.
func (s *sweep) rereadChange(ctx context.Context, g *family.Gatherer, c *change, e *Event) error {
	switch c.role {
	case partOfList:
		if param := c.via(); param != "" {
			return s.part(ctx, g, c, param)
		}
		return nil
	case allChildren:
		return g.Children(ctx, c.member, c.id)
	case childObject:
		if parent := parentOf(c.row, e.About); parent != "" {
			return g.Children(ctx, c.member, parent)
		}
		return nil
	case ownObject, shownObject:
	}
	return s.object(ctx, g, c)
}

// object re-reads one object with the children that follow it.
func (s *sweep) object(ctx context.Context, g *family.Gatherer, c *change) error {
	object, gone, err := g.Object(ctx, c.member, c.id)
	if gone && object.ID == "" && s.postpone(c) {
		return nil
	}
	if gone {
		g.WantAll() // it is gone for every stream that had it
		g.Remove(c.member, rawjson.Object{ID: c.id, Raw: c.newest().About.Raw}, object.AsOf)
	}
	return err
}

// part lists the part of a root's list that a parameter names.
func (s *sweep) part(ctx context.Context, g *family.Gatherer, c *change, param string) error {
	for _, stream := range c.member.Streams {
		if c.news[stream] {
			c.lists = append(c.lists, readingOf{stream, subject{c.member.Row, partOfList, c.id}})
		}
	}
	err := g.Part(ctx, c.member, param, c.id)
	if err == nil {
		g.Harvest().MarkRead(c.member.Streams, state.Item{ID: c.id, Via: param})
	}
	return err
}
