package stripe

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
)

// mostSeen is how many events a state remembers. Where more lie in the overlap, that is shortened.
const mostSeen = 1000

// hashID shortens the id of an event to what a state remembers of it: 48 bits.
func hashID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// recall lets an output know what its state remembers.
func (o *output) recall() {
	o.floor = o.changes.Reread
	o.seen = make(map[string]second, len(o.changes.Seen))
	for _, hash := range o.changes.Seen {
		o.seen[hash] = 0 // when is known once it is listed again
	}
}

// applied tells whether an event was applied to the output already, and remembers that it is from now on.
func (o *output) applied(e *event) bool {
	at := second(e.Created)
	if at < o.changes.From {
		return true
	}
	_, seen := o.seen[e.hash]
	o.seen[e.hash] = at
	return seen
}

// advance notes that all events before a moment are applied. Those of the overlap before it are looked for again: what was
// seen of them is kept in mind, and is forgotten with the overlap.
func (o *output) advance(until, overlap second) {
	c := o.changes
	if until > c.Until {
		c.Until = until
		c.From = max(c.From, until-overlap)
	}
	type memory struct {
		hash string
		at   second
	}
	var kept []memory
	for hash, at := range o.seen {
		if at != 0 && at < c.From {
			delete(o.seen, hash)
			continue
		}
		kept = append(kept, memory{hash, at})
	}
	slices.SortFunc(kept, func(a, b memory) int { return cmp.Or(-cmp.Compare(a.at, b.at), cmp.Compare(a.hash, b.hash)) })
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
