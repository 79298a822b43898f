package selected

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
)

// setAside holds the items that a stream continues without. It is a cursor: it is part of the state, so it changes only
// inside commits.
type setAside struct {
	now func() time.Time

	mu      sync.Mutex
	entries []state.SetAside                  // oldest first
	refused map[state.Item]*connector.Failure // records that the sink refused in the current commit
}

// Attempt is the result of an attempt to read an Item.
type Attempt struct {
	state.Item
	Failure *connector.Failure // nil if the item was read or is gone
}

// The wait before an item is retried doubles with each attempt, from minWait to maxWait.
const (
	minWait = clock.Second(10 * time.Minute / time.Second)
	maxWait = clock.Day
)

// wait returns how long to wait after the given number of attempts.
func wait(attempts int64) clock.Second {
	return min(minWait<<min(attempts-1, 20), maxWait)
}

// Resume restores the set-aside items of a state.
func (s *Stream) Resume(given []state.SetAside) {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	s.setAside.entries = slices.Clone(given)
}

// SetAside returns the items that the stream continues without, oldest first.
func (s *Stream) SetAside() []state.SetAside {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	return slices.Clone(s.setAside.entries)
}

// Due returns the items that are due for another attempt, the most overdue first.
func (s *Stream) Due() []state.SetAside {
	now := clock.Of(s.setAside.now())
	due := slices.DeleteFunc(s.SetAside(), func(a state.SetAside) bool { return a.Next > now })
	slices.SortStableFunc(due, func(a, b state.SetAside) int { return cmp.Compare(a.Next, b.Next) })
	return due
}

// NewlySetAside returns the failed attempts whose items aren't set aside yet. If there is no room for all of them, it also
// returns the failure that ends the stream, because a stream may skip only what its state remembers.
func (s *Stream) NewlySetAside(attempts []Attempt) ([]Attempt, *connector.Failure) {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	var added []Attempt
	for _, t := range attempts {
		known := func(other Attempt) bool { return other.Item == t.Item }
		if t.Failure != nil && s.setAside.find(t.Item) < 0 && !slices.ContainsFunc(added, known) {
			added = append(added, t)
		}
	}
	for _, t := range added {
		if failure := s.checkRoom(t.Item, len(added), t.Failure); failure != nil {
			return added, failure
		}
	}
	return added, nil
}

// checkRoom returns a failure if the stream can't set aside n more items, including t, because of cause.
func (s *Stream) checkRoom(t state.Item, n int, cause *connector.Failure) *connector.Failure {
	if len(s.setAside.entries)+n <= state.MaxSetAside && t.Fits() {
		return nil
	}
	failure := *cause
	failure.Class, failure.Retryable = connector.SourceData, false
	failure.Message = fmt.Sprintf("More than %d items of the stream can't be read, which is more than the connector sets aside. The next one is %s. %s",
		state.MaxSetAside, s.NameOf(t), cause.Message)
	return &failure
}

// Settle applies the results of a commit: items that were read are no longer set aside, and failed ones are. It must be
// called inside the commit, with the keys of the records sent. A record that the sink refused in that commit is set aside,
// whatever the attempts say.
func (s *Stream) Settle(attempts []Attempt, sent map[string]bool) {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	a := &s.setAside
	read := func(entry state.SetAside) bool {
		return !entry.IsWindow() && entry.Of == "" && entry.Via == "" && sent[entry.ID] ||
			slices.ContainsFunc(attempts, func(t Attempt) bool {
				return t.Failure == nil && (t.Item == entry.Item || entry.Parent != "" && t.Of != "" && t.ID == entry.Parent)
			})
	}
	a.entries = slices.DeleteFunc(a.entries, func(entry state.SetAside) bool {
		return a.refused[entry.Item] == nil && read(entry)
	})
	for _, t := range attempts {
		if t.Failure != nil {
			a.set(t.Item, t.Failure)
		}
	}
	for thing, failure := range a.refused {
		a.set(thing, failure)
	}
	a.refused = nil
}

// set sets an item aside, or records another failed attempt.
func (a *setAside) set(t state.Item, failure *connector.Failure) {
	now := clock.Of(a.now())
	i := a.find(t)
	if i < 0 {
		i = len(a.entries)
		a.entries = append(a.entries, state.SetAside{Item: t, Since: now})
	}
	entry := &a.entries[i]
	entry.Tries++
	entry.Next, entry.Cause = max(now, entry.Since)+wait(entry.Tries), state.CauseOf(failure)
}

func (a *setAside) find(t state.Item) int {
	return slices.IndexFunc(a.entries, func(entry state.SetAside) bool { return entry.Item == t })
}

// refuse sets aside the object of a record that the sink can't carry, and returns nil. If the stream can't continue without
// it, refuse returns the failure that ends the stream.
func (s *Stream) refuse(record connector.Record, failure *connector.Failure) *connector.Failure {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	if record.Key == "" || s.Row.AppendOnly() {
		return failure // it could not be re-read
	}
	t := state.Item{ID: record.Key}
	switch key := s.Row.ParentRef(); {
	case record.Operation == connector.DeleteMatching:
		t.Of = s.Row.Parent
	case key != "":
		parent, _ := rawjson.Lookup(record.Data, key)
		t.Parent = rawjson.String(parent)
	}
	a := &s.setAside
	if a.refused[t] == nil && a.find(t) < 0 {
		if full := s.checkRoom(t, len(a.refused)+1, failure); full != nil {
			return full
		}
	}
	if a.refused == nil {
		a.refused = map[state.Item]*connector.Failure{}
	}
	a.refused[t] = failure
	return nil
}

// summarizeSetAside returns the set-aside items for the stream's summary.
func (s *Stream) summarizeSetAside() []connector.SetAside {
	var all []connector.SetAside
	for _, a := range s.SetAside() {
		failure := a.Cause.Failure()
		failure.Stream = s.Row.Name
		all = append(all, connector.SetAside{Key: s.NameOf(a.Item), Failure: failure, Since: a.Since.Time(), Attempts: a.Tries})
	}
	return all
}

// NameOf returns a readable name for an item.
func (s *Stream) NameOf(t state.Item) string {
	switch {
	case t.IsWindow() && t.To == t.From+1:
		return fmt.Sprintf("%s created at %s", s.Row.Name, t.From)
	case t.IsWindow():
		return fmt.Sprintf("%s created from %s to %s", s.Row.Name, t.From, t.To)
	case t.Of != "" || t.Via != "":
		return fmt.Sprintf("%s of %s", path.Base(s.Row.Path), t.ID)
	}
	return t.ID
}
