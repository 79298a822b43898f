package table

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Freshness returns how the stream learns of changes to rows that it has already read.
func (t Table) Freshness(s *Stream) connector.Freshness {
	switch {
	case s.Unannounced:
		return connector.ByFull
	case s.AppendOnly():
		return connector.ByEvents
	case s.Parent != "" && len(s.Events) == 0:
		return t.Freshness(t.Find(s.Parent)) // known by the parent's changes
	case s.NewUnannounced:
		return connector.ByTrailing
	case len(s.Events)+len(s.Via) > 0:
		return connector.ByEvents
	}
	return connector.ByFull
}

// Swept reports whether events announce some or all changes of a stream.
func (t Table) Swept(s *Stream) bool {
	switch {
	case s.Unannounced:
		return false
	case len(s.Events)+len(s.Via) > 0 || s.AppendOnly():
		return true
	}
	return s.Parent != "" && t.Swept(t.Find(s.Parent))
}

// AppendOnly reports whether a stream's rows outlive their objects. Those of events do: Stripe keeps events for only 30 days
// (https://docs.stripe.com/api/events).
func (s *Stream) AppendOnly() bool { return s.RetentionDays > 0 }

// Follows reports whether a change of the parent can be a change of s.
func (s *Stream) Follows() bool {
	return !s.Unannounced && (len(s.Events) == 0 || s.FollowsParent)
}

// ParentRef returns the record field that holds the parent's id, or "" if there is no parent.
func (s *Stream) ParentRef() string {
	if s.ParentField != "" {
		return s.ParentField
	}
	return s.ParentKey
}

// Announces reports whether events of the given type may announce changes of s.
func (s *Stream) Announces(eventType string) bool {
	return slices.ContainsFunc(s.Events, func(pattern string) bool { return matchEvent(pattern, eventType) })
}

// AnnouncesDeletion reports whether an event of the given type means that an object of s is gone.
func (s *Stream) AnnouncesDeletion(eventType string) bool {
	return slices.Contains(s.Deleted, eventType)
}

// matchEvent reports whether an event type matches a pattern of Stream.Events.
func matchEvent(pattern, name string) bool {
	prefix, any := strings.CutSuffix(pattern, "*")
	if !any {
		return pattern == name
	}
	word, ok := strings.CutPrefix(name, prefix)
	return ok && !strings.Contains(word, ".")
}

// LateListing is how long after its creation an object may be missing from lists, which are eventually consistent.
const LateListing = clock.Second(10 * time.Minute / time.Second)

// Patterns returns the patterns of the event types that may announce changes of a stream, directly or through its parent. In a
// pattern, * stands for one word.
func (t Table) Patterns(s *Stream) []string {
	patterns := slices.Concat(s.Events, slices.Collect(maps.Keys(s.Via)))
	if parent := t.Find(s.Parent); parent != nil && s.Follows() {
		patterns = append(patterns, parent.Events...)
	} else if parent != nil {
		patterns = append(patterns, parent.Deleted...)
	}
	return patterns
}
