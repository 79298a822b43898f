package takeover

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// cursorState holds the members of source-stripe's states, apart from the cursors at the top, which have the name of a column:
//
//	{"updated": "1764300000"}                                                                 a string since 5.9, an integer before
//	{"use_global_cursor": true, "state": {"created": "N"}, "lookback_window": 7,
//	 "parent_state": {"customers": {"updated": "N"}}}                                         one cursor for the children of all parents
//	{"use_global_cursor": false, "states": [{"partition": {…}, "cursor": {"created": "N"}}], …}     one for each parent
//	{"state_type": "date-range", "slices": [{"start": "N", "end": "N", "most_recent_cursor_value": "N"}]}
//
// A cursor is the greatest one among the records sent so far, up to the first gap. A child stream that is updated from its parent's
// events has a newer cursor at the top, in addition to those of its first read.
type cursorState struct {
	State    map[string]json.RawMessage            `json:"state"`
	Lookback json.RawMessage                       `json:"lookback_window"` // in seconds, to subtract
	Parents  map[string]map[string]json.RawMessage `json:"parent_state"`
	States   []struct {
		Cursor map[string]json.RawMessage `json:"cursor"`
	} `json:"states"`
	Slices []struct {
		Start json.RawMessage `json:"start"`
		End   json.RawMessage `json:"end"`
		Most  json.RawMessage `json:"most_recent_cursor_value"`
	} `json:"slices"`
}

// cursorNames are the columns that states name, besides that of the stream.
var cursorNames = []string{updated, created}

// otherMembers are the names of members that aren't cursors.
var otherMembers = map[string]bool{
	"state": true, "lookback_window": true, "parent_state": true, "states": true, "use_global_cursor": true, "slices": true,
	"state_type": true, "legacy": true, "partition": true, "parent_slice": true,
}

// Position returns the time up to which source-stripe has sent the changes of a stream, or zero if its state has no cursor. The
// error describes what is wrong with the state, as the rest of a sentence.
func (a *Airbyte) Position(stream string, text json.RawMessage) (time.Time, error) {
	names := cursorNames
	if s := a.streams[stream]; s != nil && s.Cursor != "" {
		names = append([]string{s.Cursor}, cursorNames...)
	}
	at, known, err := position(text, names)
	if err != nil || !known {
		return time.Time{}, err
	}
	return at.Time(), nil
}

// position returns the position in a state whose cursors have one of the names, the first being preferred.
func position(text json.RawMessage, names []string) (at clock.Second, known bool, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return 0, false, errors.New("must be a JSON object")
	}
	if at, known, err = cursorIn(members, names); known || err != nil {
		return at, known, err
	}
	for name := range members {
		if !otherMembers[name] && !strings.HasPrefix(name, "__ab_") {
			return 0, false, fmt.Errorf("has the member %.40q, which is neither this connector's nor Airbyte's", name)
		}
	}
	var s cursorState
	if err := json.Unmarshal(text, &s); err != nil {
		return 0, false, fmt.Errorf("doesn't have a form that source-stripe writes: %w", err)
	}
	return s.position(names)
}

// position returns the position in a state without a cursor at the top: the oldest of those in it.
func (s *cursorState) position(names []string) (at clock.Second, known bool, err error) {
	at = math.MaxInt64
	oldest := func(found clock.Second, ok bool, problem error) {
		if ok {
			at, known = min(at, found), true
		}
		if err == nil {
			err = problem
		}
	}
	oldest(onlyCursor(s.State, names))
	for _, parent := range s.Parents {
		text, problem := json.Marshal(parent)
		if problem != nil {
			return 0, false, problem
		}
		oldest(position(text, names))
	}
	if s.State == nil {
		for _, partition := range s.States {
			oldest(onlyCursor(partition.Cursor, names))
		}
	}
	if !known && len(s.Slices) > 0 {
		oldest(s.slice())
	}
	if err != nil || !known {
		return 0, false, err
	}
	if len(s.Lookback) > 0 && string(s.Lookback) != "null" {
		lookback, err := second(s.Lookback)
		if err != nil {
			return 0, false, fmt.Errorf("has lookback_window %w", err)
		}
		at -= lookback
	}
	return max(at, 0), true, nil
}

// slice returns how far the first slice has been read, if it says so, or else where it ends.
func (s *cursorState) slice() (at clock.Second, known bool, err error) {
	first := s.Slices[0]
	value := first.Most
	if len(value) == 0 || string(value) == "null" {
		value = first.End
	}
	if at, err = second(value); err != nil {
		return 0, false, fmt.Errorf("has a slice that ends at %w", err)
	}
	return at, true, nil
}

// cursorIn returns the cursor among the members of an object.
func cursorIn(members map[string]json.RawMessage, names []string) (at clock.Second, known bool, err error) {
	for _, name := range names {
		value, ok := members[name]
		if !ok {
			continue
		}
		if at, err = second(value); err != nil {
			return 0, false, fmt.Errorf("has %s %w", name, err)
		}
		return at, true, nil
	}
	return 0, false, nil
}

// onlyCursor returns the cursor in an object that has nothing else, unless it is empty.
func onlyCursor(members map[string]json.RawMessage, names []string) (at clock.Second, known bool, err error) {
	at, known, err = cursorIn(members, names)
	if err == nil && !known && len(members) > 0 {
		return 0, false, errors.New("has a state without a cursor")
	}
	return at, known, err
}

// maxCursor is a time in the year 2200: anything greater is in another unit.
const maxCursor = 7_258_118_400

// second parses a time in Unix seconds, a number or a string. The error is the rest of a sentence.
func second(value json.RawMessage) (clock.Second, error) {
	text := strings.Trim(string(value), `"`)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != math.Trunc(n) || n < 0 || n > maxCursor {
		return 0, fmt.Errorf("%.40s, which is not a time in Unix seconds", value)
	}
	return clock.Second(n), nil
}

// State returns a state from which source-stripe continues, or nil if it has none for the stream. Its position is a few
// minutes before the given time, since source-stripe doesn't look again for events that become visible late.
func (a *Airbyte) State(stream string, until time.Time) json.RawMessage {
	s := a.streams[stream]
	if s == nil || s.Cursor == "" {
		return nil
	}
	at := strconv.Quote(strconv.FormatInt(int64(max(clock.Of(until)-table.LateListing, 0)), 10))
	if s.Parent == "" {
		return json.RawMessage(`{"` + s.Cursor + `":` + at + `}`)
	}
	own := s.Cursor
	if own != created {
		own = updated
	}
	parents := `{"` + s.Parent + `":{"updated":` + at + `}}`
	return json.RawMessage(`{"use_global_cursor":true,"state":{"` + own + `":` + at + `},"lookback_window":0,"parent_state":` + parents + `}`)
}
