package stripe

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
)

// mostSeen is how many events a state remembers. Where more lie in the overlap, that is shortened.
const mostSeen = 1000

// moment is what is remembered of an event.
type moment struct {
	hash string // of its id
	at   second
}

// hashID shortens the id of an event to what a state remembers of it: 48 bits.
func hashID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// recall lets an output know what its state remembers.
func (o *output) recall() {
	o.floor = o.changes.Reread
	o.awaited = map[string]second{}
	o.seen = make(map[string]second, len(o.changes.Seen))
	for _, hash := range o.changes.Seen {
		o.seen[hash] = 0 // when is known once it is listed again
	}
}

// applied tells whether an event was applied to the output already, and remembers that it is from now on. One that awaits
// another reading of its list is, until that is due.
func (o *output) applied(e *event, now second) bool {
	at := second(e.Created)
	if at < o.changes.From || now < o.awaited[e.hash] {
		return true
	}
	delete(o.awaited, e.hash)
	_, seen := o.seen[e.hash]
	o.seen[e.hash] = at
	return seen
}

// readAt notes that records were read from Stripe: they may be newer than events until then.
func (o *output) readAt(at second) {
	if o.changes != nil {
		o.changes.Reread = max(o.changes.Reread, at+readMargin)
	}
}

// trustedList is how long after a change lists show it as a rule: they are eventually consistent, and once the overlap is
// over they are taken to show it for certain.
const trustedList = second(30)

// await lets the events that concern a list which was read wait until it can be trusted: those that it was read for, and
// those of single children, which it took away if it did not show them yet.
func (s *sweep) await() {
	for list, at := range s.listed {
		for _, m := range s.telling[list] {
			list.out.listedFor(m, at, s.run.overlap)
		}
	}
}

// listedFor notes that a list was read in which the change that an event tells of shows, sooner or later. Until that is
// certain the event does not count as seen: it is applied again, to read the list again, when it is old enough.
func (o *output) listedFor(m moment, read, overlap second) {
	_, seen := o.seen[m.hash]
	_, awaited := o.awaited[m.hash]
	switch {
	case !seen && !awaited: // it is not looked for any more
	case read >= m.at+overlap:
		delete(o.awaited, m.hash)
		o.seen[m.hash] = m.at
	default:
		delete(o.seen, m.hash)
		o.awaited[m.hash] = m.at + overlap
		if read < m.at+trustedList {
			o.awaited[m.hash] = m.at + min(overlap, trustedList)
		}
	}
}

// advance notes that all events before a moment are applied. Those of the overlap before it are looked for again: what was
// seen of them is kept in mind, and is forgotten with the overlap.
func (o *output) advance(until, overlap second) {
	c := o.changes
	if until > c.Until {
		c.Until = until
		c.From = max(c.From, until-overlap)
	}
	maps.DeleteFunc(o.awaited, func(_ string, due second) bool { return due < c.From })
	var kept []moment
	for hash, at := range o.seen {
		if at != 0 && at < c.From {
			delete(o.seen, hash)
			continue
		}
		kept = append(kept, moment{hash, at})
	}
	slices.SortFunc(kept, func(a, b moment) int { return cmp.Or(-cmp.Compare(a.at, b.at), cmp.Compare(a.hash, b.hash)) })
	if len(kept) > mostSeen {
		c.From = max(c.From, kept[mostSeen].at+1)
		for len(kept) > 0 && (len(kept) > mostSeen || kept[len(kept)-1].at < c.From) {
			delete(o.seen, kept[len(kept)-1].hash)
			kept = kept[:len(kept)-1]
		}
	}
	c.Seen = make([]string, len(kept))
	for i, m := range kept {
		c.Seen[i] = m.hash
	}
}
