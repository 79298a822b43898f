package stripe

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// parallelParents is how many parents of one page are asked for their children side by side.
const parallelParents = 8

// member is an endpoint in the family of a pass: the root's, or one below it.
type member struct {
	stream       *stream  // any of the endpoint's streams: they are read alike
	objects      []string // the object types that belong to the endpoint
	outputs      []*output
	parent       *member // nil for the root
	parentObject string  // the object type of its parents
	children     []*member
	refused      atomic.Pointer[connector.Failure] // why the key may not list it
}

// follows tells whether a change of its parent can be one of any stream of m.
func (m *member) follows() bool {
	return slices.ContainsFunc(m.outputs, func(out *output) bool { return out.stream.follows() })
}

// refusal tells why the key may not list m, or an endpoint above it; nil if it may.
func (m *member) refusal() *connector.Failure {
	for ; m != nil; m = m.parent {
		if failure := m.refused.Load(); failure != nil {
			return failure
		}
	}
	return nil
}

// closed tells whether the key may not list m.
func (m *member) closed() bool { return m.refusal() != nil }

// list gives path and parameters of the first page, with what the children need.
func (m *member) list(at place) (string, url.Values) {
	path, query := m.stream.list(at)
	for _, child := range m.children {
		if child.stream.Expand {
			query.Add("expand[]", "data."+child.stream.Embedded)
		}
	}
	return path, query
}

// gatherer turns the objects of one page, or one object that changed, into records of outputs.
type gatherer struct {
	run      *run
	outputs  []*output
	from, to second // for RangeParams
	change   bool   // the objects changed: only children that follow are gathered, and they replace those sent before

	mu      sync.Mutex // parents are asked for their children side by side
	harvest *harvest
	listed  []readingOf // if the objects changed: the lists that were read
}

func (r *run) gatherer(p *pass) *gatherer {
	return &gatherer{run: r, outputs: p.outputs, from: p.from, to: p.to, harvest: newHarvest("")}
}

// gather keeps the objects of a page of m and gathers all that is below them.
func (g *gatherer) gather(ctx context.Context, m *member, objects []rawjson.Object, at place, asOf time.Time) error {
	if err := g.keep(ctx, m, objects, at, asOf); err != nil {
		return err
	}
	for _, child := range m.children {
		if g.change && !child.follows() {
			continue
		}
		if err := g.below(ctx, child, objects, asOf); err != nil {
			return err
		}
	}
	return nil
}

// keep adds the objects to the harvest. One that grows too large for memory is sent off before the page is complete.
func (g *gatherer) keep(ctx context.Context, m *member, objects []rawjson.Object, at place, asOf time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.keep(m, objects, at, asOf)
	if g.harvest.bytes < maxHarvest {
		return nil
	}
	full := g.harvest
	g.harvest = full.next()
	return g.run.emitter.flush(ctx, g.outputs, full)
}

// replace lets what is gathered of the children of a parent from now on take the place of those sent before.
func (g *gatherer) replace(m *member, parent string, asOf time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harvest.replace(m, parent, asOf)
}

// list notes that a list is read for the sake of a change.
func (g *gatherer) list(m *member, of subject) {
	if !g.change {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, out := range m.outputs {
		if g.harvest.wants(out) {
			g.listed = append(g.listed, readingOf{out, of})
		}
	}
}

// below gathers the children of these objects. Those that are embedded cost nothing; the others are listed side by
// side, one request for each parent that may have any.
func (g *gatherer) below(ctx context.Context, child *member, objects []rawjson.Object, asOf time.Time) error {
	across, err := g.acrossIDs(ctx, child)
	if err != nil {
		return g.forgive(ctx, child, err)
	}
	requests, ctx := errgroup.WithContext(ctx)
	requests.SetLimit(parallelParents)
	for _, object := range objects {
		if object.Type != child.parentObject || object.ID == "" || child.closed() {
			continue
		}
		if g.change {
			g.replace(child, object.ID, asOf)
		}
		if !child.stream.mayHave(object) {
			continue
		}
		first, err := carried(child.stream, object)
		for _, id := range across {
			at := place{parent: object, across: id, from: g.from, to: g.to, pageSize: g.run.pageSize}
			if err == nil && first.HasMore {
				requests.Go(func() error { return g.pages(ctx, child, at, first, asOf) })
			} else if err == nil {
				err = g.gather(ctx, child, first.Objects, at, asOf)
			}
		}
		if err != nil {
			requests.Go(func() error { return err }) // ends those that are under way, and they are waited for
			break
		}
	}
	return requests.Wait()
}

// carried gives the first children of a parent: those that its object carries. If it carries no list, more are said to
// follow.
func carried(child *stream, parent rawjson.Object) (rawjson.List, error) {
	var list rawjson.List
	if child.Embedded == "" {
		return rawjson.List{HasMore: true}, nil
	}
	value := parent.Raw
	for _, name := range strings.Split(child.Embedded, ".") {
		var ok bool
		if value, ok = rawjson.Lookup(value, name); !ok {
			return rawjson.List{HasMore: true}, nil
		}
		if value == "null" {
			return list, nil
		}
	}
	if err := rawjson.CutCompactList(&list, value); err != nil {
		return list, strange(child, fmt.Sprintf("%s of %s is not a list", child.Embedded, parent.ID))
	}
	return list, nil
}

// pages gathers first and then lists the children that follow it.
func (g *gatherer) pages(ctx context.Context, child *member, at place, list rawjson.List, asOf time.Time) error {
	g.list(child, childrenOf(child.stream, at.parent.ID))
	for {
		if err := g.gather(ctx, child, list.Objects, at, asOf); err != nil {
			return err
		}
		if !list.HasMore || child.closed() {
			return nil
		}
		path, query := child.list(at)
		if n := len(list.Objects); n > 0 {
			query.Set("starting_after", list.Objects[n-1].ID)
		}
		page, err := g.run.client.List(ctx, path, query)
		if api.IsCursorGone(err) {
			list = rawjson.List{HasMore: true} // that child was deleted: begin again, some come twice
			continue
		}
		if err != nil {
			return g.forgive(ctx, child, err)
		}
		if page.HasMore && len(page.Objects) == 0 {
			return strange(child.stream, fmt.Sprintf("a page of %s is empty and says that more follow", path))
		}
		list, asOf = page.List, page.AsOf
	}
}

// forgive lets a pass go on after the children of one parent could not be listed, where that is no failure of the pass.
func (g *gatherer) forgive(ctx context.Context, child *member, err error) error {
	failure, ok := asFailure(err)
	switch {
	case api.HasNone(err):
		return nil // the parent was deleted meanwhile, and its children with it; or it can have none
	case !ok || failure.Class != connector.PermissionError:
		return err
	case child.stream.RefusedByParent:
		return g.run.emitter.refusedByParent(ctx, child, failure)
	}
	child.refused.CompareAndSwap(nil, failure)
	return nil
}

// acrossIDs are the ids of the objects of streams that others are asked across, read once in a Read.
type acrossIDs struct {
	mu  sync.Mutex
	ids map[string][]string
}

// acrossIDs gives the ids of the objects with which a child is to be listed; one empty id for all others.
func (g *gatherer) acrossIDs(ctx context.Context, child *member) ([]string, error) {
	name := child.stream.Across
	if name == "" {
		return []string{""}, nil
	}
	known := &g.run.across
	known.mu.Lock()
	defer known.mu.Unlock()
	if ids, ok := known.ids[name]; ok {
		return ids, nil
	}
	ids := []string{}
	path, query := g.run.streams.find(name).list(place{pageSize: g.run.pageSize})
	for more := true; more; {
		page, err := g.run.client.List(ctx, path, query)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Objects {
			ids = append(ids, strings.Clone(object.ID))
		}
		if more = page.HasMore && len(page.Objects) > 0; more {
			query.Set("starting_after", ids[len(ids)-1])
		}
	}
	if known.ids == nil {
		known.ids = map[string][]string{}
	}
	known.ids[name] = ids
	return ids, nil
}

// belongs tells whether an object is of a type that the endpoint is known to list, with an id.
func (m *member) belongs(object rawjson.Object) bool {
	return object.ID != "" && slices.Contains(m.objects, object.Type)
}

// strange is the failure of an answer that makes no sense.
func strange(s *stream, what string) error {
	return &connector.Failure{
		Class:    connector.SourceData,
		Message:  "Stripe answered something that makes no sense. Please report it.",
		Internal: what,
		Stream:   s.Name,
	}
}
