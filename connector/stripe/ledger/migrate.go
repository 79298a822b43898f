package ledger

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// maxLegacy is the most events that a state of an earlier version lists.
const maxLegacy = 1000

// legacy holds the applied events from a state of an earlier version, by the first 48 bits of their hashes. Each is removed when it
// is listed, and all are removed when the time before until is settled.
type legacy struct {
	seen  map[[prefixSize]byte]bool
	until int64
}

// Migrate returns a ledger that resumes from a state of an earlier version: events in [from, until) are applied if seen has
// the first 48 bits of the SHA-256 of their id, in unpadded base64url.
func Migrate(from, until int64, seen []string) (*Ledger, error) {
	l := &Ledger{from: from, until: until}
	if from > until {
		return nil, fmt.Errorf("ends before it begins")
	}
	if err := l.legacy.parse(seen, until); err != nil {
		return nil, err
	}
	l.save()
	return l, nil
}

func (o *legacy) parse(seen []string, until int64) error {
	if len(seen) > maxLegacy {
		return fmt.Errorf("remembers %d events individually, but the limit is %d", len(seen), maxLegacy)
	}
	o.seen, o.until = map[[prefixSize]byte]bool{}, until
	for i, text := range seen {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(raw) != prefixSize {
			return fmt.Errorf("seen[%d] is not a hash", i)
		}
		o.seen[[prefixSize]byte(raw)] = true
	}
	return nil
}

// hashes returns the remaining events in the form that parse accepts.
func (o *legacy) hashes() []string {
	var seen []string
	for prefix := range o.seen {
		seen = append(seen, base64.RawURLEncoding.EncodeToString(prefix[:]))
	}
	slices.Sort(seen)
	return seen
}

// remove removes listed events from o, and returns those that were not in it.
func (o *legacy) remove(listed []digest) []digest {
	if len(o.seen) == 0 {
		return listed
	}
	return slices.DeleteFunc(listed, func(d digest) bool {
		seen := o.seen[d.prefix()]
		delete(o.seen, d.prefix())
		return seen
	})
}

func (o *legacy) settle(from int64) {
	if from >= o.until {
		*o = legacy{}
	}
}
