package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/backfill"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// list compares the listed objects with what events say, and repairs the differences page by page.
func (c *comparison) list(ctx context.Context) error {
	err := backfill.ReadWindow(ctx, c.reader, c.family, c.Window, func(objects []rawjson.Object, page *api.Page) error {
		missing, stale := c.differing(objects)
		return c.repair(ctx, missing, stale, page)
	}, c.setAside)
	if err != nil || len(c.unread) == 0 {
		return err
	}
	return c.send(ctx, c.gatherer())
}

// repair sends the differing objects as listed, except those that changed after the sweep.
func (c *comparison) repair(ctx context.Context, missing, stale []rawjson.Object, page *api.Page) error {
	if len(missing)+len(stale) == 0 {
		return nil
	}
	if err := c.readNewEvents(ctx); err != nil {
		return err
	}
	young := func(object rawjson.Object) bool {
		return c.evidence[c.hash(object.ID)].has(isYoung) || c.link(object).has(isYoung)
	}
	missing, stale = slices.DeleteFunc(missing, young), slices.DeleteFunc(stale, young)
	g := c.gatherer()
	if err := g.Gather(ctx, c.family, append(missing, stale...), table.Place{}, page.AsOf); err != nil {
		return err
	}
	c.counts.Missing += int64(len(missing))
	c.counts.Stale += int64(len(stale))
	return c.send(ctx, g)
}

// setAside records an item that can't be read. It is set aside with the next records sent.
func (c *comparison) setAside(t state.Item, failure *connector.Failure) {
	c.unread = append(c.unread, selected.Attempt{Item: t, Failure: failure})
}

func (c *comparison) gatherer() *family.Gatherer {
	return c.reader.Change(c.streams, family.Cause{}, nil)
}

func (c *comparison) send(ctx context.Context, g *family.Gatherer) error {
	h := g.Harvest()
	for _, t := range c.unread {
		h.SetAside(c.streams, t.Item, t.Failure)
	}
	c.unread = nil
	return h.Commit(ctx, c.reader.Emitter, c.streams, emit.Commit{})
}

// readNewEvents marks the objects that changed after the sweep.
func (c *comparison) readNewEvents(ctx context.Context) error {
	now := clock.Of(c.reader.Now()) + 1
	err := changes.ReadEvents(ctx, c.reader, c.streams, max(c.until, c.looked-c.overlap), now, func(events []changes.Event) error {
		for i := range events {
			key := c.hash(events[i].About.ID)
			t := c.evidence[key]
			t.marks |= isYoung
			c.evidence[key] = t
		}
		return nil
	})
	c.looked = now
	return err
}

// isSuspect reports whether an object should have been listed and was not.
func (t evidence) isSuspect() bool { return t.has(isDated) && !t.has(isDeleted|isYoung|isKnown) }

// hasSuspects reports whether there is any such object.
func (c *comparison) hasSuspects() bool {
	for _, t := range c.evidence {
		if t.isSuspect() {
			return true
		}
	}
	return false
}

// confirm requests the objects of events that should have been listed, and deletes what is gone: some lists hide some objects,
// such as those of test clocks (https://docs.stripe.com/billing/testing/test-clocks).
func (c *comparison) confirm(ctx context.Context, events []changes.Event) error {
	var suspects []rawjson.Object
	for _, e := range events {
		key := c.hash(e.About.ID)
		if t := c.evidence[key]; t.isSuspect() {
			t.marks |= isKnown
			c.evidence[key] = t
			suspects = append(suspects, e.About)
		}
	}
	gone, unread := make([]time.Time, len(suspects)), make([]*connector.Failure, len(suspects))
	requests, requestsCtx := emit.NewGroup(ctx)
	requests.SetLimit(max(1, c.reader.Client.AllWorkers()))
	for i, object := range suspects {
		requests.Go(func() error {
			answer, isGone, err := c.reader.Object(requestsCtx, c.family, object.ID, nil)
			if isGone {
				gone[i] = answer.AsOf
			}
			if c.reader.IsIsolated(requestsCtx, c.family, err) {
				unread[i], err = connector.AsFailure(err), nil
			}
			return err
		})
	}
	if err := requests.Wait(); err != nil {
		return err
	}
	g := c.gatherer()
	for i, object := range suspects {
		if !gone[i].IsZero() {
			c.counts.Extra++
			g.Remove(c.family, object, gone[i])
		}
		if unread[i] != nil && len(c.family.Streams) > 0 {
			c.setAside(state.Item{ID: object.ID}, unread[i])
		}
	}
	return c.send(ctx, g)
}
