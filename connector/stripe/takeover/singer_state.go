package takeover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// singerState is a Singer state: the tap's bookmarks, which say how far each stream was read, and our own states beside them. The
// bookmarks are kept up to date, so that the tap can take over again.
type singerState struct {
	members   map[string]json.RawMessage // other members, which are kept
	bookmarks map[string]json.RawMessage
	ours      map[string]ownState
}

// ownState is our state of a stream, with the bookmarks that were written with it. If the bookmarks have changed, the tap has run
// since.
type ownState struct {
	State json.RawMessage `json:"state"`
	marks
}

// marks are the tap's bookmarks of a stream; zero if there are none.
type marks struct {
	Lists  clock.Second `json:"lists,omitzero"`  // objects created until then were read
	Events clock.Second `json:"events,omitzero"` // changes until then were read
}

const (
	bookmarksName = "bookmarks"
	ownName       = "stripe_connector" // the member of a Singer state with our states
	eventsSuffix  = "_events"
	eventsName    = "updates_created"
)

// The source re-reads a stream if its changes are older than maxAge, because Stripe keeps events for 30 days.
const (
	maxAge      = 29 * clock.Day
	tooLongAway = 31 * clock.Day
)

// Resume converts a Singer state to states of the source. fields maps the tap's name of each stream to the fields to request from
// the source. Resume also returns messages about streams that can't continue where the tap stopped. An empty state has no
// bookmarks. The error is a *connector.Failure that says what is wrong with the state.
func (s *Singer) Resume(raw []byte, fields map[string][]string) ([]connector.StreamState, []string, error) {
	var wrong []connector.Violation
	if s.state, wrong = parseSingerState(raw); wrong != nil {
		return nil, nil, connector.Invalid(wrong...)
	}
	var states []connector.StreamState
	var warnings []string
	for _, stream := range s.streams {
		requested, selected := fields[stream.name]
		if !selected {
			continue
		}
		content, warning, violations := s.resume(stream, requested)
		wrong = append(wrong, violations...)
		if warning != "" {
			warnings = append(warnings, warning)
		}
		if content != nil {
			states = append(states, connector.StreamState{Stream: stream.row.Name, Account: s.settings.account, State: content})
		}
	}
	if wrong != nil {
		return nil, nil, connector.Invalid(wrong...)
	}
	return states, warnings, nil
}

// parseSingerState parses a state.
func parseSingerState(raw []byte) (singerState, []connector.Violation) {
	s := singerState{members: map[string]json.RawMessage{}, bookmarks: map[string]json.RawMessage{}, ours: map[string]ownState{}}
	if raw == nil {
		return s, nil
	}
	if trimmed := bytes.TrimSpace(raw); !bytes.Equal(trimmed, []byte("null")) {
		if len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(trimmed, &s.members) != nil {
			return s, wrongState("state", `must be a JSON object, the value of the last STATE message. To re-read everything, omit it.`)
		}
	}
	_, hasBookmarks := s.members[bookmarksName]
	_, hasOurs := s.members[ownName]
	for name := range s.members {
		if !hasBookmarks && !hasOurs && name != "currently_syncing" {
			return s, wrongState("state", `has no "bookmarks": it must be the value of the last STATE message. To re-read everything, omit it.`)
		}
	}
	if hasBookmarks && json.Unmarshal(s.members[bookmarksName], &s.bookmarks) != nil {
		return s, wrongState("state.bookmarks", "must be an object, with a bookmark for each stream.")
	}
	if hasOurs && json.Unmarshal(s.members[ownName], &s.ours) != nil {
		return s, wrongState("state."+ownName, "is damaged. Without it, the streams continue from the bookmarks.")
	}
	if s.bookmarks == nil {
		s.bookmarks = map[string]json.RawMessage{}
	}
	if s.ours == nil {
		s.ours = map[string]ownState{}
	}
	delete(s.members, bookmarksName)
	delete(s.members, ownName)
	return s, nil
}

func wrongState(field, description string) []connector.Violation {
	return []connector.Violation{{Field: field, Description: description}}
}

// resume returns the source's state of a stream, or nil to read it from the beginning.
func (s *Singer) resume(stream *singerStream, fields []string) (content json.RawMessage, warning string, wrong []connector.Violation) {
	own, hasOwn := s.state.ours[stream.name]
	if !stream.tapped {
		return own.State, "", nil
	}
	now, wrong := s.marksOf(stream)
	switch {
	case wrong != nil:
		return nil, "", wrong
	case hasOwn && now.Lists <= own.Lists && now.Events <= own.Events && (now != marks{} || own.marks == marks{}):
		return own.State, "", nil
	case now == marks{}:
		return nil, "", nil
	}
	if now.Events == 0 && stream.parent != "" && stream.updates { // older versions of the tap have no bookmark for these
		parent, _ := s.marksOf(s.find(stream.parent))
		now.Events = parent.Events
	}
	return s.takeOver(stream, now, fields)
}

// takeOver returns a state that continues where the tap stopped.
func (s *Singer) takeOver(stream *singerStream, at marks, fields []string) (content json.RawMessage, warning string, wrong []connector.Violation) {
	given := state.State{
		Version: state.Version, Mode: "test", Generation: state.FirstGeneration, Pass: state.PassID{ID: "tap", Streams: 1}, Windows: []state.Window{},
		Expanded: expanded(s.table.Fields(stream.row), fields),
	}
	if s.settings.live {
		given.Mode = "live"
	}
	switch {
	case !stream.updates:
		given.To = max(0, at.Lists-s.settings.lookback)
		at.Events = given.To
		if stream.row.PendingField != "" {
			given.Pending = max(1, given.To-pendingMargin)
			if known := s.pendingOf(stream); known > 0 {
				given.Pending = min(given.Pending, known)
			}
		}
	case at.Events == 0:
		warning = fmt.Sprintf("The tap's state of %s doesn't say until when changes were read, so it is treated as %d days old.", stream.name, tooLongAway/clock.Day)
		at.Events = s.now - tooLongAway
		given.To = at.Events
	case at.Events < s.now-maxAge: // the source says so, and re-reads everything
		given.To = max(0, at.Events)
	default:
		given.To = at.Events
		if at.Lists > 0 {
			given.To = min(at.Lists, at.Events)
		}
		at.Events = given.To - lateEvents
	}
	given.From = min(s.settings.start, given.To)
	if s.table.Swept(stream.row) {
		given.Changes = state.ChangesFrom(max(0, at.Events))
	}
	content, err := json.Marshal(given)
	if err != nil {
		return nil, "", wrongState("state.bookmarks."+stream.name, err.Error())
	}
	return content, warning, nil
}

// pendingOf returns the creation time of the oldest object that was pending when we last read the stream; zero if there was none.
func (s *Singer) pendingOf(stream *singerStream) clock.Second {
	var own struct {
		Pending clock.Second `json:"pending"`
	}
	if json.Unmarshal(s.state.ours[stream.name].State, &own) != nil {
		return 0
	}
	return own.Pending
}

// lateEvents is how far before the tap's bookmark to start reading events, since some become visible late.
const lateEvents = clock.Second(300)

// marksOf returns the tap's bookmarks of a stream.
func (s *Singer) marksOf(stream *singerStream) (m marks, wrong []connector.Violation) {
	take := func(name, key string) clock.Second {
		raw, ok := s.state.bookmarks[name]
		if !ok || string(raw) == "null" {
			return 0
		}
		at := "state.bookmarks." + name
		var marks map[string]json.RawMessage
		if json.Unmarshal(raw, &marks) != nil {
			wrong = append(wrong, wrongState(at, `must be an object, such as {"created": 1764300000}.`)...)
			return 0
		}
		value, ok := marks[key]
		if !ok || string(value) == "null" {
			return 0
		}
		second, ok := parseMark(value)
		switch {
		case !ok:
			wrong = append(wrong, wrongState(at+"."+key, "must be a time in Unix seconds, such as 1764300000.")...)
		case second > s.now+clock.Day:
			wrong = append(wrong, wrongState(at+"."+key, fmt.Sprintf("is %s, in the future. Check the clock of this machine.", second))...)
		}
		return min(second, s.now)
	}
	m.Lists = take(stream.name, stream.bookmark)
	if stream.updates {
		m.Events = take(stream.name+eventsSuffix, eventsName)
	}
	return m, wrong
}

// parseMark parses a bookmark: Unix seconds, also as a string, or the ISO time that the tap wrote when it started from the beginning.
func parseMark(raw json.RawMessage) (clock.Second, bool) {
	text := string(raw)
	if unquoted := new(string); json.Unmarshal(raw, unquoted) == nil {
		text = *unquoted
		for _, layout := range startLayouts {
			if t, err := time.Parse(layout, text); err == nil && t.Unix() >= 0 {
				return clock.Of(t), true
			}
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n > lastSecond || math.IsNaN(n) {
		return 0, false
	}
	return clock.Second(n), true
}

// Set records the state of a stream under the source's name. If the state is complete, the tap's bookmarks advance with it.
func (s *Singer) Set(source string, content json.RawMessage) {
	i := slices.IndexFunc(s.streams, func(stream *singerStream) bool { return stream.row.Name == source })
	if i < 0 {
		return
	}
	stream := s.streams[i]
	own := ownState{State: content}
	if stream.tapped {
		now, _ := s.marksOf(stream)
		covered := covers(stream, content)
		own.marks = marks{Lists: max(now.Lists, covered.Lists), Events: max(now.Events, covered.Events)}
		s.mark(stream.name, stream.bookmark, own.Lists)
		if stream.updates {
			s.mark(stream.name+eventsSuffix, eventsName, own.Events)
		}
	}
	s.state.ours[stream.name] = own
}

// covers returns the bookmarks that correspond to a state of the source; zero if parts of lists are left to read.
func covers(stream *singerStream, content json.RawMessage) marks {
	var at struct {
		To      clock.Second      `json:"to"`
		Windows []json.RawMessage `json:"windows"`
		Changes *struct {
			Events struct {
				From clock.Second `json:"from"`
			} `json:"events"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(content, &at); err != nil || len(at.Windows) > 0 {
		return marks{}
	}
	if at.Changes == nil {
		return marks{Lists: max(0, at.To-table.LateListing)}
	}
	m := marks{Lists: at.Changes.Events.From}
	if stream.updates {
		m.Events = m.Lists
	}
	return m
}

// mark sets a bookmark of the tap.
func (s *Singer) mark(name, key string, at clock.Second) {
	if at == 0 {
		return
	}
	marks := map[string]json.RawMessage{}
	if raw, ok := s.state.bookmarks[name]; ok && string(raw) != "null" {
		if err := json.Unmarshal(raw, &marks); err != nil { // the stream isn't being read, so its bookmark hasn't been checked
			marks = map[string]json.RawMessage{}
		}
	}
	marks[key] = strconv.AppendInt(nil, int64(at), 10)
	encoded, err := json.Marshal(marks)
	if err != nil {
		return // it was parsed above
	}
	s.state.bookmarks[name] = encoded
}

// State returns the Singer state that follows from the states that were set, as JSON.
func (s *Singer) State() ([]byte, error) {
	all := map[string]any{bookmarksName: s.state.bookmarks}
	for name, value := range s.state.members {
		all[name] = value
	}
	if len(s.state.ours) > 0 {
		all[ownName] = s.state.ours
	}
	return json.Marshal(all)
}
