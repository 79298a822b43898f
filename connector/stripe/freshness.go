package stripe

import (
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// freshness tells how changes of rows that were already read come through.
func (t table) freshness(s *stream) connector.Freshness {
	switch {
	case s.Unannounced:
		return connector.ByFull
	case s.appendOnly():
		return connector.ByEvents
	case s.Parent != "" && len(s.Events) == 0:
		return t.freshness(t.find(s.Parent)) // the parent's changes tell
	case s.NewUnannounced:
		return connector.ByTrailing
	case len(s.Events)+len(s.Via) > 0:
		return connector.ByEvents
	}
	return connector.ByFull
}

// swept tells whether events tell of changes of a stream, be they all or some.
func (t table) swept(s *stream) bool {
	switch {
	case s.Unannounced:
		return false
	case len(s.Events)+len(s.Via) > 0 || s.appendOnly():
		return true
	}
	return s.Parent != "" && t.swept(t.find(s.Parent))
}

// appendOnly tells whether the rows of a stream outlive their objects: those of events do, which Stripe keeps for 30
// days (https://docs.stripe.com/api/events).
func (s *stream) appendOnly() bool { return s.RetentionDays > 0 }

// follows tells whether a change of its parent can be one of a child.
func (s *stream) follows() bool {
	return !s.Unannounced && (len(s.Events) == 0 || s.FollowsParent)
}

// parentKey gives the field of a record that holds the parent's id; empty without a parent.
func (s *stream) parentKey() string {
	if s.ParentField != "" {
		return s.ParentField
	}
	return s.ParentKey
}

// tells tells whether events of a type may concern s.
func (s *stream) tells(eventType string) bool {
	return slices.ContainsFunc(s.Events, func(pattern string) bool { return matchEvent(pattern, eventType) })
}

// deletes tells whether an event of a type says that an object of s is gone.
func (s *stream) deletes(eventType string) bool { return slices.Contains(s.Deleted, eventType) }

// matchEvent tells whether an event type matches a pattern of the column Events.
func matchEvent(pattern, name string) bool {
	prefix, any := strings.CutSuffix(pattern, "*")
	if !any {
		return pattern == name
	}
	word, ok := strings.CutPrefix(name, prefix)
	return ok && !strings.Contains(word, ".")
}

// lateListing is how long after its creation an object may take to be listed: lists are eventually consistent.
const lateListing = second(10 * time.Minute / time.Second)
