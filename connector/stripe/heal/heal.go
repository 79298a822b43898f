package heal

import (
	"cmp"
	"context"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/backfill"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

const (
	// maxTrials is the most items that one call of Run retries.
	maxTrials = 25
	// parallelTrials is how many of them are retried concurrently.
	parallelTrials = 4
)

// attempt is an item to retry, for all streams that have set it aside.
type attempt struct {
	state.SetAside
	root    *table.Stream
	streams []*selected.Stream
	family  *family.Member
}

// Run retries the items of streams that are due, and returns the streams that had any. An object that is gone counts as deleted
// once it has been set aside for longer than overlap; before, it may not be visible yet. An error ends the Read.
func Run(ctx context.Context, reader *family.Reader, streams []*selected.Stream, overlap clock.Second) ([]*selected.Stream, error) {
	trials := due(reader, streams)
	var tried []*selected.Stream
	for _, t := range trials {
		for _, s := range t.streams {
			if slices.Contains(tried, s) {
				continue
			}
			tried = append(tried, s)
			if err := s.Begin(ctx); err != nil {
				return nil, err
			}
		}
	}
	requests, ctx := emit.NewGroup(ctx)
	requests.SetLimit(parallelTrials)
	for _, t := range trials {
		requests.Go(func() error {
			if reader.Emitter.Stopped() {
				return nil
			}
			return t.run(ctx, reader, overlap)
		})
	}
	return tried, requests.Wait()
}

// due returns the items to retry, the most overdue first.
func due(reader *family.Reader, streams []*selected.Stream) []*attempt {
	var trials []*attempt
	for _, s := range streams {
		root := reader.Table.Root(s.Row)
		for _, a := range s.Due() {
			i := slices.IndexFunc(trials, func(t *attempt) bool { return t.Item == a.Item && t.root == root && t.hasSameItem(s) })
			if i < 0 {
				i = len(trials)
				trials = append(trials, &attempt{SetAside: a, root: root})
			}
			trials[i].streams = append(trials[i].streams, s)
		}
	}
	slices.SortStableFunc(trials, func(a, b *attempt) int { return cmp.Compare(a.Next, b.Next) })
	trials = trials[:min(len(trials), maxTrials)]
	for _, t := range trials {
		t.family = family.Of(reader.Table, t.root, t.streams)
	}
	return trials
}

// hasSameItem reports whether the attempt can also serve a stream with the same item. A window concerns all streams of a root, any other
// item those of one endpoint.
func (t *attempt) hasSameItem(s *selected.Stream) bool {
	return t.IsWindow() || t.streams[0].Row.SameEndpoint(s.Row)
}

func (t *attempt) run(ctx context.Context, reader *family.Reader, overlap clock.Second) error {
	wanted := func(s *selected.Stream) bool { return slices.Contains(t.streams, s) }
	g := reader.Change(t.streams, family.Cause{}, wanted)
	if t.IsWindow() {
		g = reader.Page(t.streams, t.From, t.To)
	}
	readAt := clock.Of(reader.Now())
	failure, err := t.read(ctx, reader, g, overlap)
	switch {
	case emit.EndsRead(err):
		return err
	case err != nil && !reader.IsIsolated(ctx, t.family, err):
		return nil // the failure concerns more than this item and is reported elsewhere
	case err != nil:
		failure = connector.AsFailure(err)
	}
	h := g.Harvest()
	if failure != nil {
		h = family.NewHarvest(family.Cause{}, wanted)
		h.SetAside(t.streams, t.Item, failure)
	} else {
		h.MarkRead(t.streams, t.Item)
	}
	return h.Commit(ctx, reader.Emitter, t.streams, emit.Commit{
		Streams: selected.EmitStreams(t.streams),
		States:  emit.StatesOfRecords,
		Advance: func() {
			for _, s := range t.streams {
				s.MarkRead(readAt)
			}
		},
	})
}

// read reads the item. A Failure says why it still can't be read.
func (t *attempt) read(ctx context.Context, reader *family.Reader, g *family.Gatherer, overlap clock.Second) (*connector.Failure, error) {
	switch below := t.below(reader.Table); {
	case t.IsWindow():
		return t.window(ctx, reader, g)
	case t.Via != "":
		return nil, g.Part(ctx, t.family, t.Via, t.ID)
	case t.Of != "" && below != nil:
		return nil, g.Children(ctx, below, t.ID)
	case t.Parent != "" && below != nil:
		return nil, g.Children(ctx, below, t.Parent)
	case t.streams[0].Row.SameEndpoint(t.root):
		return t.object(ctx, g, overlap)
	}
	return t.Cause.Failure(), nil // its parent is unknown, or its stream no longer exists
}

// below returns the endpoint that lists the item among the children of a parent, or nil if there is none.
func (t *attempt) below(streams table.Table) *family.Member {
	parent := streams.Find(t.streams[0].Row.Parent)
	if t.Of != "" {
		parent = streams.Find(t.Of)
	}
	if parent == nil {
		return nil
	}
	return t.family.ChildOf(parent)
}

func (t *attempt) object(ctx context.Context, g *family.Gatherer, overlap clock.Second) (*connector.Failure, error) {
	object, gone, err := g.Object(ctx, t.family, t.ID)
	switch {
	case gone && object.ID == "" && clock.Of(object.AsOf) < t.Since+overlap:
		return t.Cause.Failure(), nil
	case gone:
		g.Remove(t.family, rawjson.Object{ID: t.ID, Raw: rawjson.WithMember("{}", "id", rawjson.Quote(t.ID))}, object.AsOf)
		return nil, nil
	}
	return nil, err
}

func (t *attempt) window(ctx context.Context, reader *family.Reader, g *family.Gatherer) (failure *connector.Failure, err error) {
	visit := func(objects []rawjson.Object, page *api.Page) error {
		return g.Gather(ctx, t.family, objects, table.Place{}, page.AsOf)
	}
	lacks := func(_ state.Item, cause *connector.Failure) { failure = cause }
	err = backfill.ReadWindow(ctx, reader, t.family, state.Window{From: t.From, To: t.To}, visit, lacks)
	return failure, err
}
