package stripe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// compared gives the range of creation that a Read with reconcile compares, and whether that is less than was asked for:
// events reach back some 30 days, and of the newest objects some are still to come.
func compared(req connector.ReadRequest, c config, now second) (asked window, clamped bool) {
	asked = window{From: now - mostAway, To: now - c.Settling - c.Overlap}
	if !req.From.IsZero() {
		from := second(req.From.Unix())
		clamped = from < asked.From
		asked.From = max(asked.From, from)
	}
	if !req.To.IsZero() {
		asked.To = min(asked.To, second(req.To.Unix()))
	}
	return asked, clamped
}

// reconcile refuses what cannot be compared.
func (p *planner) reconcile(req connector.ReadRequest) {
	if !req.Reconcile {
		return
	}
	if req.Follow {
		p.wrong("reconcile", "compares once, and with follow a Read does not end: leave one of them out.")
	}
	if asked, _ := compared(req, p.config, p.now); asked.From >= asked.To {
		p.wrong("time_range", "leaves nothing to compare: events tell of what was created from %s to %s. Let the range reach into that, or leave it out.",
			p.now-mostAway, p.now-p.config.Settling-p.config.Overlap)
	}
	for i, configured := range req.Streams {
		out := p.output(configured.Stream)
		if out == nil {
			continue
		}
		at := fmt.Sprintf("streams[%d]", i)
		why := p.source.streams.incomparable(out.stream)
		switch {
		case !out.incremental:
			p.wrong(at+".sync_mode", "is FULL_REFRESH, which reads everything anyway: with reconcile, choose INCREMENTAL.")
		case why != "":
			p.wrong(at+".stream", "is %q, which cannot be reconciled: %s. Leave it out of a Read with reconcile.", out.stream.Name, why)
		case out.given == nil:
			p.wrong("states", "has none of %s: read the stream without reconcile first, to its end.", out.stream.Name)
		case len(out.given.Windows) > 0:
			p.wrong(out.givenAs, "of %s has lists left to read: read the stream without reconcile first, to its end.", out.stream.Name)
		}
	}
}

// incomparable tells why a stream cannot be reconciled; empty if it can.
func (t table) incomparable(s *stream) string {
	root := t.root(s)
	switch {
	case s.appendOnly():
		return "it is the events themselves"
	case t.freshness(s) == connector.ByFull:
		return "no event tells of it, and each sync reads all of it"
	case t.freshness(s) == connector.ByTrailing || t.freshness(root) != connector.ByEvents:
		return "no event tells of its new objects, which each sync lists"
	case root.Cursor == "":
		return fmt.Sprintf("%s cannot be listed by time of creation; read it with FULL_REFRESH to compare", root.Path)
	case !t.comesWithRoot(s):
		return "its events are its own and it is listed by parent; read it with FULL_REFRESH to compare"
	}
	return ""
}

// comesWithRoot tells whether a change of its root can be one of s.
func (t table) comesWithRoot(s *stream) bool {
	for s.Parent != "" {
		if !s.follows() {
			return false
		}
		s = t.find(s.Parent)
	}
	return true
}

// reconcile compares the range that the request asks for, once all changes are applied, and mends what differs. Streams
// that had to be read anew meanwhile take part, too: for them, everything was just sent.
func (r *run) reconcile(ctx context.Context) error {
	outputs := r.caughtUp()
	if len(outputs) == 0 {
		return nil
	}
	if r.clamped {
		message := fmt.Sprintf("Only what was created since %s is compared: Stripe keeps events for 30 days.", r.compared.From)
		if err := r.emitter.log(ctx, connector.Warning, "", message); err != nil {
			return err
		}
	}
	var all []*comparison
	for _, family := range r.streams.families(outputs) {
		all = append(all, r.comparison(family, r.compared))
	}
	if err := r.compare(ctx, all, outputs); err != nil {
		if errors.Is(err, errEnough) {
			return nil // leave tells
		}
		return err
	}
	for _, c := range all {
		counts := &c.counts
		if c.err != nil {
			counts = nil
		}
		if err := r.reconciled(ctx, c.outputs, counts, c.err); err != nil {
			return err
		}
	}
	return nil
}

// compare runs the comparisons. One that fails notes why; an error ends all.
func (r *run) compare(ctx context.Context, all []*comparison, outputs []*output) error {
	from, until := all[0].From, all[0].until
	for _, c := range all {
		from, until = min(from, c.From), max(until, c.until)
	}
	err := r.events(ctx, outputs, from, until, func(events []event) error {
		for i := range events {
			for _, c := range all {
				c.note(&events[i])
			}
		}
		return nil
	})
	if err := fails(err, all...); err != nil {
		return err
	}
	lists, listsCtx := errgroup.WithContext(ctx)
	lists.SetLimit(firstWorkers)
	for _, c := range all {
		if c.err == nil {
			lists.Go(func() error { return fails(c.list(listsCtx), c) })
		}
	}
	if err := lists.Wait(); err != nil {
		return err
	}
	var doubtful []*comparison
	for _, c := range all {
		if c.err != nil || !c.suspicious() {
			continue
		}
		if err := fails(c.lookAgain(ctx), c); err != nil {
			return err
		}
		if c.err == nil && c.suspicious() {
			doubtful = append(doubtful, c)
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	// Their ids were not kept: the events tell them a second time.
	err = r.events(ctx, outputs, from, until, func(events []event) error {
		for _, c := range doubtful {
			if c.err != nil {
				continue
			}
			if err := fails(c.confirm(ctx, events), c); err != nil {
				return err
			}
		}
		return nil
	})
	return fails(err, doubtful...)
}

// fails notes an error that concerns these comparisons only, and gives back one that ends the Read, or what is done of it.
func fails(err error, comparisons ...*comparison) error {
	if err == nil || ends(err) {
		return err
	}
	for _, c := range comparisons {
		c.err = err
	}
	return nil
}

// events visits the events of a stretch of time that concern outputs, page by page, the newest first.
func (r *run) events(ctx context.Context, outputs []*output, from, until second, visit func([]event) error) error {
	s := &sweep{run: r, filter: r.streams.filter(outputs)}
	var events []event
	for after := ""; from < until; {
		if r.stopped() {
			return errEnough
		}
		page, err := r.client.List(ctx, eventsPath, s.query(from, until, after))
		if api.IsCursorGone(err) && after != "" {
			return nil // that event has become too old meanwhile, and with it all that follow
		}
		if err != nil {
			return err
		}
		events = events[:0]
		for _, object := range page.Objects {
			events = append(events, parseEvent(object))
		}
		if err := visit(events); err != nil {
			return err
		}
		if !page.HasMore {
			return nil
		}
		if len(events) == 0 {
			return strange(r.streams.find("events"), "a page of events is empty and says that more follow")
		}
		after = events[len(events)-1].ID
	}
	return nil
}

// caughtUp gives the outputs whose changes are applied, and that wait to be compared.
func (r *run) caughtUp() []*output {
	r.emitter.mu.Lock()
	defer r.emitter.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.outputs), func(out *output) bool { return !out.caughtUp || out.done() })
}

// reconciled tells what became of outputs that were compared, or, without counts, were not.
func (r *run) reconciled(ctx context.Context, outputs []*output, counts *connector.Reconciliation, err error) error {
	if err := r.emitter.reconciled(ctx, outputs, counts); err != nil {
		return err
	}
	return r.emitter.end(ctx, outputs, err)
}

// notReconciled tells that a limit of the request left no time to compare. The streams are complete all the same.
func (r *run) notReconciled(ctx context.Context) error {
	outputs := r.caughtUp()
	if len(outputs) == 0 {
		return nil
	}
	const message = "A limit of the request was reached before everything was compared: the changes are applied, and nothing is reported about the reconciliation."
	if err := r.emitter.log(ctx, connector.Warning, "", message); err != nil {
		return err
	}
	return r.reconciled(ctx, outputs, nil, nil)
}
