package changes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// oddities counts the events of a sweep that aren't as documented, by type.
type oddities struct {
	unknown  map[string]int // of a type that this release doesn't know
	nameless map[string]int // that show an object without an id
	unusable int            // without an id or a creation time of their own

	reread  map[string]int // changes whose payload is unused only because of its API version, by that version
	version string         // of the newest event
	at      clock.Second   // of the newest event
}

// isUnusable reports whether an event can't be distinguished from others or placed in time.
func (e Event) isUnusable() bool { return e.ID == "" || e.Created == 0 }

// isPreview reports whether the event shows an object that doesn't exist yet and therefore has no id
// (https://docs.stripe.com/api/events/types#event_types-invoice.upcoming).
func (e *Event) isPreview() bool { return strings.HasSuffix(e.Kind, ".upcoming") }

// usable returns the events without the unusable ones, and counts what is odd about all of them.
func (s *sweep) usable(events []Event) []Event {
	listed := len(events)
	events = slices.DeleteFunc(events, Event.isUnusable)
	s.odd.unusable += listed - len(events)
	for i := range events {
		e := &events[i]
		if _, known := slices.BinarySearch(s.types, e.Kind); !known {
			s.odd.unknown[e.Kind]++
		}
		if e.At() > s.odd.at {
			s.odd.at, s.odd.version = e.At(), strings.Clone(e.Version)
		}
		if e.About.ID == "" && !e.isPreview() && len(s.targetsOf(e)) > 0 {
			s.odd.nameless[e.Kind]++
		}
	}
	return events
}

// noteVersion counts a change whose object is re-read if the API version of its event is the only reason.
func (s *sweep) noteVersion(c *change) {
	version := c.newest().Version
	o := s.Options
	if o.APIVersion = version; version != s.APIVersion && c.canUsePayload(o) {
		s.odd.reread[strings.Clone(version)]++
	}
}

// reportOddities logs what was odd about the events of the sweep, each type once in a Read.
func (s *sweep) reportOddities(ctx context.Context) error {
	for _, kind := range slices.Sorted(maps.Keys(s.odd.unknown)) {
		message := fmt.Sprintf("Stripe lists %s of the type %q, which this release doesn't know. Streams with a pattern that matches the type apply them.", count(s.odd.unknown[kind]), kind)
		if err := s.reader.Emitter.LogOnce(ctx, "unknown "+kind, connector.Info, message); err != nil {
			return err
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.odd.nameless)) {
		message := fmt.Sprintf("Stripe lists %s of the type %q with an object that has no id, so the change can't be applied: run reconcile or a full refresh.", count(s.odd.nameless[kind]), kind)
		if err := s.reader.Emitter.LogOnce(ctx, "nameless "+kind, connector.Warning, message); err != nil {
			return err
		}
	}
	if s.odd.unusable > 0 {
		message := fmt.Sprintf("Stripe lists %s without an id or a creation time, which can't be applied: run reconcile or a full refresh.", count(s.odd.unusable))
		if err := s.reader.Emitter.LogOnce(ctx, "unusable events", connector.Warning, message); err != nil {
			return err
		}
	}
	return s.reportVersion(ctx)
}

// reportVersion logs, once in a Read, what it costs that events have another API version, unless the newest event has the right one.
func (s *sweep) reportVersion(ctx context.Context) error {
	n := s.odd.reread[s.odd.version]
	if n == 0 || s.odd.version == s.APIVersion {
		return nil
	}
	message := fmt.Sprintf("Objects re-read because their events have another API version: %d. %s", n, s.Advice(s.odd.version))
	return s.reader.Emitter.LogOnce(ctx, "version of events", connector.Info, message)
}

func count(events int) string {
	if events == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", events)
}
