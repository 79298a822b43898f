package family

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
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
	return full.Commit(ctx, g.reader.Emitter, g.streams, emit.Commit{})
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
		return g.forgive(ctx, child, err)
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
			continue
		}
		first, err := embedded(child.Row, object)
		for _, id := range across {
			at := table.Place{Parent: object, Across: id, From: g.from, To: g.to, PageSize: g.reader.PageSize}
			if err == nil && first.HasMore {
				requests.Go(func() error { return g.pages(ctx, child, at, first, asOf) })
			} else if err == nil {
				err = g.Gather(ctx, child, first.Objects, at, asOf)
			}
		}
		if err != nil {
			requests.Go(func() error { return err }) // ends those in flight, and they are waited for
			break
		}
	}
	return requests.Wait()
}

// embedded returns the first children of a parent: those that its object embeds. If it embeds no list, more are said to
// follow.
func embedded(child *table.Stream, parent rawjson.Object) (rawjson.List, error) {
	var list rawjson.List
	if child.Embedded == "" {
		return rawjson.List{HasMore: true}, nil
	}
	value := parent.Raw
	for _, name := range child.EmbeddedPath() {
		var ok bool
		if value, ok = rawjson.Lookup(value, name); !ok {
			return rawjson.List{HasMore: true}, nil
		}
		if value == "null" {
			return list, nil
		}
	}
	if err := rawjson.CutCompactList(&list, value); err != nil {
		return list, Nonsense(child, fmt.Sprintf("%s of %s is not a list", child.Embedded, parent.ID))
	}
	return list, nil
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
	for {
		if err := g.Gather(ctx, child, list.Objects, at, asOf); err != nil {
			return err
		}
		if !list.HasMore || child.closed() {
			return nil
		}
		path, query := child.List(at)
		if n := len(list.Objects); n > 0 {
			query.Set("starting_after", list.Objects[n-1].ID)
		}
		page, err := g.reader.Client.List(ctx, path, query)
		if api.IsCursorGone(err) {
			list = rawjson.List{HasMore: true} // that child was deleted: restart the list, some come twice
			continue
		}
		if err != nil {
			return g.forgive(ctx, child, err)
		}
		if page.HasMore && len(page.Objects) == 0 {
			return Nonsense(child.Row, fmt.Sprintf("a page of %s is empty and says that more follow", path))
		}
		list, asOf = page.List, page.AsOf
	}
}

// forgive returns nil if the page can do without the children of a parent, which could not be listed; else the error.
func (g *Gatherer) forgive(ctx context.Context, child *Member, err error) error {
	failure, ok := connector.FailureIn(err)
	switch {
	case api.HasNone(err):
		return nil // the parent was deleted meanwhile, and its children with it; or it can have none
	case !ok || failure.Class != connector.PermissionError:
		return err
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

// warnRefused says once that Stripe refuses to list the children of some parents.
func (m *Member) warnRefused(ctx context.Context, failure *connector.Failure) error {
	message := "Stripe refuses to list these for some of their parents, which are skipped. " + failure.Message
	for _, s := range m.Streams {
		return s.Out.LogOnce(ctx, m.Row.Path+" refused", connector.Warning, message)
	}
	return nil
}

// Nonsense returns the failure of an answer that makes no sense.
func Nonsense(s *table.Stream, what string) error {
	return &connector.Failure{
		Class:    connector.SourceData,
		Message:  "Stripe answered something that makes no sense. Please report it.",
		Internal: what,
		Stream:   s.Name,
	}
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
