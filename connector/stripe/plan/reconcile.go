package plan

import (
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Compared returns the range of creation times that a Read with reconcile compares, and reports whether it starts later than
// requested. Events reach back only some 30 days, and the events of the newest objects may not be visible yet.
func Compared(req connector.ReadRequest, c config.Config, now time.Time) (requested state.Window, clamped bool) {
	at := clock.Of(now)
	requested = state.Window{From: at - maxEventAge, To: at - c.Settling - c.Overlap}
	if !req.From.IsZero() {
		from := clock.Of(req.From)
		clamped = from < requested.From
		requested.From = max(requested.From, from)
	}
	if !req.To.IsZero() {
		requested.To = min(requested.To, clock.Of(req.To))
	}
	return requested, clamped
}

// checkReconcile rejects requests to reconcile something that cannot be compared.
func (p *planner) checkReconcile(req connector.ReadRequest) {
	if !req.Reconcile {
		return
	}
	if req.Follow {
		p.wrong("reconcile", "can't be combined with follow: a comparison ends, but a Read with follow doesn't. Omit one of them.")
	}
	if requested, _ := Compared(req, p.config, p.now.Time()); requested.From >= requested.To && !p.timeless {
		p.wrong("time_range", "leaves nothing to compare: events cover what was created from %s to %s. Choose a range that overlaps this one, or omit it.",
			p.now-maxEventAge, p.now-p.config.Settling-p.config.Overlap)
	}
	for i, configured := range req.Streams {
		s := p.find(configured.Stream)
		if s == nil {
			continue
		}
		at := fmt.Sprintf("streams[%d]", i)
		why := incomparable(p.table, s.Row)
		switch {
		case !s.Incremental:
			p.wrong(at+".sync_mode", "is FULL_REFRESH, which reads everything anyway: use INCREMENTAL with reconcile.")
		case why != "":
			p.wrong(at+".stream", "is %q, which can't be reconciled: %s. Exclude it from Reads with reconcile.", s.Row.Name, why)
		case s.Given == nil:
			p.wrong("states", "has no state of %s: first read the stream to its end without reconcile.", s.Row.Name)
		case len(s.Given.Windows) > 0:
			p.wrong(s.GivenPath, "of %s has lists left to read: first read the stream to its end without reconcile.", s.Row.Name)
		}
	}
}

// incomparable returns the reason why a stream cannot be reconciled, or "" if it can.
func incomparable(t table.Table, s *table.Stream) string {
	root := t.Root(s)
	switch {
	case s.AppendOnly():
		return "it consists of the events themselves"
	case t.Freshness(s) == connector.ByFull:
		return "no events announce its changes, and each sync reads all of it"
	case t.Freshness(s) == connector.ByTrailing || t.Freshness(root) != connector.ByEvents:
		return "no events announce its new objects, and each sync lists them"
	case root.Cursor == "":
		return fmt.Sprintf("%s can't be listed by creation time; use FULL_REFRESH to compare it", root.Path)
	case !changesWithRoot(t, s):
		return "it has its own events and is listed by parent; use FULL_REFRESH to compare it"
	}
	return ""
}

// changesWithRoot reports whether a change of the root can be a change of s.
func changesWithRoot(t table.Table, s *table.Stream) bool {
	for s.Parent != "" {
		if !s.Follows() {
			return false
		}
		s = t.Find(s.Parent)
	}
	return true
}
