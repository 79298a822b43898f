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

// setAside are what a stream goes on without. They are a cursor: states hold them, so they change inside commits only.
type setAside struct {
	now func() time.Time

	mu      sync.Mutex
	entries []state.SetAside                  // the oldest first
	refused map[state.Item]*connector.Failure // whose records the sink refused in the commit that is under way
}

// Attempt is what became of a Thing when it was read.
type Attempt struct {
	state.Item
	Failure *connector.Failure // nil: it was read, or it is gone
}

// Waits before a thing is tried again: doubled with each time, from the first to the longest.
const (
	firstWait   = clock.Second(10 * time.Minute / time.Second)
	longestWait = clock.Day
)

// wait returns how long a thing waits that was tried so often.
func wait(tries int64) clock.Second {
	return min(firstWait<<min(tries-1, 20), longestWait)
}

// Resume takes over what a state sets aside.
func (s *Stream) Resume(given []state.SetAside) {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	s.setAside.entries = slices.Clone(given)
}

// SetAside returns what the stream goes on without, the oldest first.
func (s *Stream) SetAside() []state.SetAside {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	return slices.Clone(s.setAside.entries)
}

// Due returns what is due to be tried again, the most overdue first.
func (s *Stream) Due() []state.SetAside {
	now := clock.Of(s.setAside.now())
	due := slices.DeleteFunc(s.SetAside(), func(a state.SetAside) bool { return a.Next > now })
	slices.SortStableFunc(due, func(a, b state.SetAside) int { return cmp.Compare(a.Next, b.Next) })
	return due
}

// NewlySetAside returns which of the trials the stream would have to set aside and has not yet, and the failure that ends it if they
// are more than it may go on without: nothing is left out unless a state remembers it.
func (s *Stream) NewlySetAside(trials []Attempt) ([]Attempt, *connector.Failure) {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	var added []Attempt
	for _, t := range trials {
		known := func(other Attempt) bool { return other.Item == t.Item }
		if t.Failure != nil && s.setAside.find(t.Item) < 0 && !slices.ContainsFunc(added, known) {
			added = append(added, t)
		}
	}
	for _, t := range added {
		if failure := s.room(t.Item, len(added), t.Failure); failure != nil {
			return added, failure
		}
	}
	return added, nil
}

// room returns why the stream cannot set so many more things aside, of which t is one; nil if it can.
func (s *Stream) room(t state.Item, more int, cause *connector.Failure) *connector.Failure {
	if len(s.setAside.entries)+more <= state.MaxSetAside && t.Fits() {
		return nil
	}
	failure := *cause
	failure.Class, failure.Retryable = connector.SourceData, false
	failure.Message = fmt.Sprintf("More than %d things of the stream cannot be read and are set aside, so it does not go on without more: the next is %s. %s",
		state.MaxSetAside, s.NameOf(t), cause.Message)
	return &failure
}

// Settle notes what became of things. Call it inside a commit, with the keys of the records that it sent. A record that the
// sink refused in that commit is set aside, whatever the trials say of it.
func (s *Stream) Settle(trials []Attempt, sent map[string]bool) {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	a := &s.setAside
	read := func(entry state.SetAside) bool {
		return !entry.IsWindow() && entry.Of == "" && entry.Via == "" && sent[entry.ID] ||
			slices.ContainsFunc(trials, func(t Attempt) bool {
				return t.Failure == nil && (t.Item == entry.Item || entry.Parent != "" && t.Of != "" && t.ID == entry.Parent)
			})
	}
	a.entries = slices.DeleteFunc(a.entries, func(entry state.SetAside) bool {
		return a.refused[entry.Item] == nil && read(entry)
	})
	for _, t := range trials {
		if t.Failure != nil {
			a.set(t.Item, t.Failure)
		}
	}
	for thing, failure := range a.refused {
		a.set(thing, failure)
	}
	a.refused = nil
}

// set sets a thing aside, or notes that it was tried again.
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

// refuse is called for each record that the sink cannot carry.
func (s *Stream) refuse(record connector.Record, failure *connector.Failure) *connector.Failure {
	s.setAside.mu.Lock()
	defer s.setAside.mu.Unlock()
	if record.Key == "" || s.Row.AppendOnly() {
		return failure // it could not be read again
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
		if full := s.room(t, len(a.refused)+1, failure); full != nil {
			return full
		}
	}
	if a.refused == nil {
		a.refused = map[state.Item]*connector.Failure{}
	}
	a.refused[t] = failure
	return nil
}

// summarizeSetAside returns what the stream goes on without, for its summary.
func (s *Stream) summarizeSetAside() []connector.SetAside {
	var all []connector.SetAside
	for _, a := range s.SetAside() {
		failure := a.Cause.Failure()
		failure.Stream = s.Row.Name
		all = append(all, connector.SetAside{Key: s.NameOf(a.Item), Failure: failure, Since: a.Since.Time(), Attempts: a.Tries})
	}
	return all
}

// NameOf returns the name of a thing for people.
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
