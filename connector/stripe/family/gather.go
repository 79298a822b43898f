package family

import (
	"context"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// parallelParents is the number of parents of one page whose children are requested concurrently.
const parallelParents = 8

// Gatherer turns the objects of one page, or one changed object, into records. Its methods may be called concurrently.
type Gatherer struct {
	reader   *Reader
	streams  []*selected.Stream
	from, to clock.Second // for table.Stream.RangeParams
	change   bool         // the objects changed: only children with Follows are gathered, and they replace those sent before

	// before returns the children that a changed parent had; see [Gatherer.Before].
	before func(child *Member, parent string) rawjson.List

	mu      sync.Mutex
	harvest *Harvest
	listed  []Listed
}

// Before makes the Gatherer record which children a changed parent had, according to before. The list that before returns has HasMore
// set if there may have been others. Before must be called first.
func (g *Gatherer) Before(before func(child *Member, parent string) rawjson.List) { g.before = before }

// Listed records that the children of a parent were listed for a stream.
type Listed struct {
	Stream *selected.Stream
	Row    *table.Stream // of the endpoint
	Parent string
}

// Gather adds the objects of a page of m, and all their descendants, to the harvest.
func (g *Gatherer) Gather(ctx context.Context, m *Member, objects []rawjson.Object, at table.Place, asOf time.Time) error {
	if g.change {
		objects = m.inRange(objects)
	}
	if err := g.Keep(ctx, m, objects, at, asOf); err != nil {
		return err
	}
	for _, child := range m.Children {
		if g.change && !child.Follows() {
			continue
		}
		if err := g.children(ctx, child, objects, asOf); err != nil {
			return err
		}
	}
	return nil
}

// Keep adds the objects to the harvest. A harvest that grows too large is sent before the page is complete.
func (g *Gatherer) Keep(ctx context.Context, m *Member, objects []rawjson.Object, at table.Place, asOf time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.Keep(m, objects, at, asOf)
	if g.harvest.bytes < maxHarvest {
		return nil
	}
	full := g.harvest
	g.harvest = full.next()
	return full.send(ctx, g.reader.Emitter, g.streams)
}

// Harvest returns what was gathered. The Gatherer must not be used afterwards.
func (g *Gatherer) Harvest() *Harvest { return g.harvest }

// Listed returns the child lists that were read because of a change.
func (g *Gatherer) Listed() []Listed { return g.listed }

// replace makes the children of a parent that are gathered from now on replace those sent before.
func (g *Gatherer) replace(m *Member, parent string, asOf time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := rawjson.List{HasMore: true}
	if g.before != nil {
		before = g.before(m, parent)
	}
	g.harvest.replace(m, parent, asOf, before)
}

// noteListed records that the children of a parent were listed because of a change.
func (g *Gatherer) noteListed(m *Member, parent string) {
	if !g.change {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range m.Streams {
		if g.harvest.wants(s) {
			g.listed = append(g.listed, Listed{s, m.Row, parent})
		}
	}
}

// children gathers the children of these objects. Embedded children cost no request. The others are listed concurrently,
// with a request for each parent that may have some.
func (g *Gatherer) children(ctx context.Context, child *Member, objects []rawjson.Object, asOf time.Time) error {
	across, err := g.reader.acrossIDs(ctx, child.Row.Across)
	if err != nil {
		return g.handleError(ctx, child, "", err)
	}
	requests, ctx := emit.NewGroup(ctx)
	requests.SetLimit(parallelParents)
	for _, object := range objects {
		if object.Type != child.parentObject || object.ID == "" || child.isClosed() {
			continue
		}
		if g.change {
			g.replace(child, object.ID, asOf)
		}
		if !child.Row.MayHave(object) {
			g.markRead(child, object.ID)
			continue
		}
		first := child.embedded(object)
		for _, id := range across {
			at := table.Place{Parent: object, Across: id, From: g.from, To: g.to, PageSize: g.reader.PageSize}
			if first.HasMore {
				requests.Go(func() error { return g.pages(ctx, child, at, first, asOf) })
			} else if err = g.Gather(ctx, child, first.Objects, at, asOf); err == nil {
				g.markRead(child, object.ID)
			}
		}
		if err != nil {
			requests.Go(func() error { return err }) // cancels the requests in flight; Wait waits for them
			break
		}
	}
	return requests.Wait()
}

// embedded returns the first children of a parent, as embedded in its object. If the object doesn't contain a list that
// says whether more children follow, the result is an empty list with HasMore set, and the children must be listed by their
// own endpoint.
func (m *Member) embedded(parent rawjson.Object) rawjson.List {
	unknown := rawjson.List{HasMore: true}
	if m.Row.Embedded == "" || m.apart {
		return unknown
	}
	value, ok := rawjson.Lookup(parent.Raw, m.Row.EmbeddedPath()...)
	if m.Row.Inline || ok && m.Row.Single {
		return rawjson.List{Objects: m.Row.Found(value, parent)}
	}
	list, ok := listAt(parent, m.Row)
	if !ok {
		return unknown
	}
	return list
}

// listAt returns the list of a stream's first objects that is embedded in their parent. It reports false if there is none that
// says whether more objects follow.
func listAt(parent rawjson.Object, child *table.Stream) (list rawjson.List, ok bool) {
	value, ok := rawjson.Lookup(parent.Raw, child.EmbeddedPath()...)
	if !ok {
		return list, hasNullOn(parent.Raw, child.EmbeddedPath())
	}
	if err := rawjson.CutCompactList(&list, value); err != nil {
		return list, false
	}
	if n := len(list.Objects); list.HasMore && (n == 0 || list.Objects[n-1].ID == "") {
		return list, false
	}
	more, _ := rawjson.Lookup(value, "has_more")
	return list, more == "true" || more == "false"
}

// hasNullOn reports whether an object has a null on a path. What is below it doesn't exist.
func hasNullOn(object string, path []string) bool {
	for i := range path {
		if value, _ := rawjson.Lookup(object, path[:i+1]...); value == "null" {
			return true
		}
	}
	return false
}

// Object re-reads an object, with its children that have Follows set, or reports that it is gone, as [Reader.Object] does.
func (g *Gatherer) Object(ctx context.Context, m *Member, id string) (object api.Object, gone bool, err error) {
	query := m.Expansions()
	object, gone, err = g.reader.Object(ctx, m, id, query)
	again, refusal := g.reader.Unexpand(ctx, m, m.Row.Retrieve(table.Place{}, id), query, err)
	if refusal != nil {
		return object, false, refusal
	}
	if again {
		object, gone, err = g.reader.Object(ctx, m, id, m.Expansions())
	}
	if err != nil || gone {
		return object, gone, err
	}
	return object, false, g.Gather(ctx, m, []rawjson.Object{object.Object}, table.Place{}, object.AsOf)
}

// Part re-lists the part of a root's list that a parameter selects.
func (g *Gatherer) Part(ctx context.Context, m *Member, param, id string) error {
	path, query := m.List(table.Place{PageSize: g.reader.PageSize})
	query.Set(param, id)
	pager := NewPager(g.reader.PageSize)
	for {
		page, err := g.reader.List(ctx, path, query, pager)
		if api.IsCursorGone(err) && query.Has("starting_after") {
			query.Del("starting_after")
			if err := pager.Restart(m.Row); err != nil {
				return err
			}
			continue
		}
		if api.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := g.Gather(ctx, m, page.Objects, table.Place{}, page.AsOf); err != nil {
			return err
		}
		if !page.HasMore || len(page.Objects) == 0 {
			return nil
		}
		last := page.Objects[len(page.Objects)-1].ID
		if err := pager.Continue(m.Row, last); err != nil {
			return err
		}
		query.Set("starting_after", last)
	}
}

// Children re-lists the children of a parent. If no endpoint lists them, it re-reads the parent, which contains them.
func (g *Gatherer) Children(ctx context.Context, m *Member, parent string) error {
	if m.Row.Inline {
		object, gone, err := g.Object(ctx, m.parent, parent)
		if gone {
			g.replace(m, parent, object.AsOf)
		}
		return err
	}
	raw := rawjson.WithMember("{}", "id", rawjson.Quote(parent))
	at := table.Place{PageSize: g.reader.PageSize, Parent: rawjson.Object{ID: parent, Raw: raw}}
	asOf := g.reader.Client.AsOf()
	g.replace(m, parent, asOf)
	return g.pages(ctx, m, at, rawjson.List{HasMore: true}, asOf)
}

// pages gathers a list, of which the first objects are given, requesting the pages that follow.
func (g *Gatherer) pages(ctx context.Context, child *Member, at table.Place, list rawjson.List, asOf time.Time) error {
	g.noteListed(child, at.Parent.ID)
	pager := NewPager(g.reader.PageSize)
	for {
		if err := g.Gather(ctx, child, list.Objects, at, asOf); err != nil {
			return err
		}
		if child.isClosed() {
			return nil
		}
		if !list.HasMore {
			g.markRead(child, at.Parent.ID)
			return nil
		}
		page, err := g.next(ctx, child, at, list, pager)
		if err != nil {
			return g.handleError(ctx, child, at.Parent.ID, err)
		}
		list, asOf = page.List, page.AsOf
	}
}

// next requests the page of a list that follows the page before.
func (g *Gatherer) next(ctx context.Context, child *Member, at table.Place, before rawjson.List, pager *Pager) (*api.Page, error) {
	path, query := child.List(at)
	if n := len(before.Objects); n > 0 {
		last := before.Objects[n-1].ID
		if last == "" {
			return nil, EndlessList(child.Row, "a page says that more objects follow, but its last object has no id")
		}
		if err := pager.Continue(child.Row, last); err != nil {
			return nil, err
		}
		query.Set("starting_after", last)
	}
	page, err := g.reader.Fetch(ctx, child, at, path, query, pager)
	switch {
	case api.IsCursorGone(err): // that child was deleted: restart the list; some children are read twice
		return &api.Page{List: rawjson.List{HasMore: true}, AsOf: g.reader.Client.AsOf()}, pager.Restart(child.Row)
	case err != nil:
		return nil, err
	case page.HasMore && len(page.Objects) == 0:
		return nil, EndlessList(child.Row, "an empty page says that more objects follow")
	}
	return page, nil
}

// handleError handles the failure to list the children of a parent, or of all parents if parent is empty. It returns nil if
// the page can continue without these children, and err otherwise.
func (g *Gatherer) handleError(ctx context.Context, child *Member, parent string, err error) error {
	failure, ok := connector.FailureIn(err)
	switch {
	case api.IsNotFound(err):
		g.markRead(child, parent)
		return nil // the parent was deleted in the meantime together with its children, or can't have children
	case !ok:
		return err
	case failure.Class != connector.PermissionError:
		if parent == "" || !g.reader.IsIsolated(ctx, child, err) {
			return err
		}
		g.setAside(child, parent, failure)
		return nil
	case child.Row.RefusedByParent:
		return child.warnRefused(ctx, failure)
	}
	if !child.refused.CompareAndSwap(nil, failure) {
		return nil
	}
	for _, s := range child.All() {
		if err := s.Out.Skip(ctx, failure); err != nil {
			return err
		}
	}
	return nil
}

// markRead records that the children of an object were read.
func (g *Gatherer) markRead(child *Member, parent string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.MarkRead(child.All(), state.Item{ID: parent, Of: child.Row.Parent})
}

// setAside records that the children of a parent couldn't be read. For a change, it leaves the children sent before as they
// are.
func (g *Gatherer) setAside(child *Member, parent string, failure *connector.Failure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.change {
		g.harvest.forget(child, parent)
	}
	g.harvest.SetAside(child.All(), state.Item{ID: parent, Of: child.Row.Parent}, failure)
}

// warnRefused warns once that Stripe refuses to list the children of some parents.
func (m *Member) warnRefused(ctx context.Context, failure *connector.Failure) error {
	message := "Stripe refuses to list the children of some parents, which are skipped. " + failure.Message
	for _, s := range m.Streams {
		return s.Out.LogOnce(ctx, m.Row.Path+" refused", connector.Warning, message)
	}
	return nil
}

// Remove records that an object and all its descendants are gone.
func (g *Gatherer) Remove(m *Member, object rawjson.Object, asOf time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.Remove(m, object, asOf)
}

// WantAll makes the Gatherer keep the records of all streams from now on.
func (g *Gatherer) WantAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.wanted = nil
}
