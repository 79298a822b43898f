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

// parallelParents is how many parents of one page are asked for their children side by side.
const parallelParents = 8

// Gatherer turns the objects of one page, or one object that changed, into records. Its methods may be called from many
// goroutines.
type Gatherer struct {
	reader   *Reader
	streams  []*selected.Stream
	from, to clock.Second // for the column RangeParams
	change   bool         // the objects changed: only children that follow are gathered, and they replace those sent before

	mu      sync.Mutex
	harvest *Harvest
	listed  []Listed
}

// Listed says that the children of a parent were listed for a stream.
type Listed struct {
	Stream *selected.Stream
	Row    *table.Stream // of the endpoint
	Parent string
}

// Gather keeps the objects of a page of m, and gathers all that is below them.
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
		if err := g.below(ctx, child, objects, asOf); err != nil {
			return err
		}
	}
	return nil
}

// Keep adds the objects to the harvest. One that grows too large for memory is sent before the page is complete.
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

// Harvest returns what was gathered. The Gatherer is not to be used any more.
func (g *Gatherer) Harvest() *Harvest { return g.harvest }

// Listed returns the lists that were read for the sake of a change.
func (g *Gatherer) Listed() []Listed { return g.listed }

// replace says that what is gathered of the children of a parent from now on takes the place of those sent before.
func (g *Gatherer) replace(m *Member, parent string, asOf time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.Replace(m, parent, asOf)
}

// note notes that the children of a parent are listed for the sake of a change.
func (g *Gatherer) note(m *Member, parent string) {
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

// below gathers the children of these objects. Those that are embedded cost nothing; the others are listed side by side,
// with a request for each parent that may have any.
func (g *Gatherer) below(ctx context.Context, child *Member, objects []rawjson.Object, asOf time.Time) error {
	across, err := g.reader.acrossIDs(ctx, child.Row.Across)
	if err != nil {
		return g.forgive(ctx, child, "", err)
	}
	requests, ctx := emit.NewGroup(ctx)
	requests.SetLimit(parallelParents)
	for _, object := range objects {
		if object.Type != child.parentObject || object.ID == "" || child.closed() {
			continue
		}
		if g.change {
			g.replace(child, object.ID, asOf)
		}
		if !child.Row.MayHave(object) {
			g.read(child, object.ID)
			continue
		}
		first := embedded(child.Row, object)
		for _, id := range across {
			at := table.Place{Parent: object, Across: id, From: g.from, To: g.to, PageSize: g.reader.PageSize}
			if first.HasMore {
				requests.Go(func() error { return g.pages(ctx, child, at, first, asOf) })
			} else if err = g.Gather(ctx, child, first.Objects, at, asOf); err == nil {
				g.read(child, object.ID)
			}
		}
		if err != nil {
			requests.Go(func() error { return err }) // ends those in flight, and they are waited for
			break
		}
	}
	return requests.Wait()
}

// embedded returns the first children of a parent: those that its object embeds. If that has anything but a list there which
// says whether more follow, they are all listed by their own endpoint.
func embedded(child *table.Stream, parent rawjson.Object) rawjson.List {
	unknown := rawjson.List{HasMore: true}
	if child.Embedded == "" {
		return unknown
	}
	value, ok := rawjson.Lookup(parent.Raw, child.EmbeddedPath()...)
	if !ok {
		return unknown
	}
	var list rawjson.List
	if err := rawjson.CutCompactList(&list, value); err != nil {
		return unknown
	}
	if n := len(list.Objects); list.HasMore && (n == 0 || list.Objects[n-1].ID == "") {
		return unknown
	}
	if more, _ := rawjson.Lookup(value, "has_more"); more != "true" && more != "false" {
		return unknown
	}
	return list
}

// Object reads an object again, with the children that follow it, or reports that it is gone, as [Reader.Object] does.
func (g *Gatherer) Object(ctx context.Context, m *Member, id string) (object rawjson.Object, gone bool, err error) {
	asOf := g.reader.Now()
	object, gone, err = g.reader.Object(ctx, m, id, m.Expansions())
	if m.Unexpand(err) {
		object, gone, err = g.reader.Object(ctx, m, id, m.Expansions())
	}
	if err != nil || gone {
		return object, gone, err
	}
	return object, false, g.Gather(ctx, m, []rawjson.Object{object}, table.Place{}, asOf)
}

// Part lists the part of a root's list that a parameter names again.
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

// Children lists what is below a parent again.
func (g *Gatherer) Children(ctx context.Context, m *Member, parent string) error {
	raw := rawjson.WithMember("{}", "id", rawjson.Quote(parent))
	at := table.Place{PageSize: g.reader.PageSize, Parent: rawjson.Object{ID: parent, Raw: raw}}
	asOf := g.reader.Now()
	g.replace(m, parent, asOf)
	return g.pages(ctx, m, at, rawjson.List{HasMore: true}, asOf)
}

// pages gathers the beginning of a list and then requests the pages that follow it.
func (g *Gatherer) pages(ctx context.Context, child *Member, at table.Place, list rawjson.List, asOf time.Time) error {
	g.note(child, at.Parent.ID)
	pager := NewPager(g.reader.PageSize)
	for {
		if err := g.Gather(ctx, child, list.Objects, at, asOf); err != nil {
			return err
		}
		if child.closed() {
			return nil
		}
		if !list.HasMore {
			g.read(child, at.Parent.ID)
			return nil
		}
		page, err := g.next(ctx, child, at, list, pager)
		if err != nil {
			return g.forgive(ctx, child, at.Parent.ID, err)
		}
		list, asOf = page.List, page.AsOf
	}
}

// next requests the page of a list that follows another.
func (g *Gatherer) next(ctx context.Context, child *Member, at table.Place, before rawjson.List, pager *Pager) (*api.Page, error) {
	path, query := child.List(at)
	if n := len(before.Objects); n > 0 {
		last := before.Objects[n-1].ID
		if last == "" {
			return nil, EndlessList(child.Row, "a page says that more follow, and its last object has no id")
		}
		if err := pager.Continue(child.Row, last); err != nil {
			return nil, err
		}
		query.Set("starting_after", last)
	}
	page, err := g.reader.List(ctx, path, query, pager)
	switch {
	case api.IsCursorGone(err): // that child was deleted: restart the list, some come twice
		return &api.Page{List: rawjson.List{HasMore: true}, AsOf: g.reader.Now()}, pager.Restart(child.Row)
	case err != nil:
		return nil, err
	case page.HasMore && len(page.Objects) == 0:
		return nil, EndlessList(child.Row, "a page is empty and says that more follow")
	}
	return page, nil
}

// forgive returns nil if the page can do without the children of a parent, which could not be listed; else the error. Without
// a parent, it is all children that could not be.
func (g *Gatherer) forgive(ctx context.Context, child *Member, parent string, err error) error {
	failure, ok := connector.FailureIn(err)
	switch {
	case api.IsNotFound(err):
		g.read(child, parent)
		return nil // the parent was deleted meanwhile, and its children with it; or it can have none
	case !ok:
		return err
	case failure.Class != connector.PermissionError:
		if parent == "" || !g.reader.IsIsolated(ctx, child, err) {
			return err
		}
		g.fail(child, parent, failure)
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

// read notes that what is below an object was read.
func (g *Gatherer) read(child *Member, parent string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.MarkRead(child.All(), state.Item{ID: parent, Of: child.Row.Parent})
}

// fail notes that the children of a parent could not be read. What a change sent of them before stays as it is.
func (g *Gatherer) fail(child *Member, parent string, failure *connector.Failure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.change {
		g.harvest.forget(child, parent)
	}
	g.harvest.SetAside(child.All(), state.Item{ID: parent, Of: child.Row.Parent}, failure)
}

// warnRefused says once that Stripe refuses to list the children of some parents.
func (m *Member) warnRefused(ctx context.Context, failure *connector.Failure) error {
	message := "Stripe refuses to list these for some of their parents, which are skipped. " + failure.Message
	for _, s := range m.Streams {
		return s.Out.LogOnce(ctx, m.Row.Path+" refused", connector.Warning, message)
	}
	return nil
}

// Remove adds that an object is gone, and all that was below it.
func (g *Gatherer) Remove(m *Member, object rawjson.Object, asOf time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.Remove(m, object, asOf)
}

// WantAll keeps records of all streams from now on.
func (g *Gatherer) WantAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.wanted = nil
}
