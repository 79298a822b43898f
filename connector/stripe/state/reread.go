package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
)

// Reread records which objects of a stream were recently read from Stripe, so that the payload of an earlier event doesn't
// replace their records. The zero value is empty. Its JSON has a bounded size: if it can't name all records, it covers more
// than were read, never fewer.
type Reread struct {
	all     clock.Second
	some    map[string]clock.Second
	resumed rereadFilter // of the state that it resumes from
}

// MarkAll records that any object may have been read, so that it may be newer than events up to and including a second.
func (r *Reread) MarkAll(until clock.Second) { r.all = max(r.all, until) }

// MarkKey records that the objects with a key were read, so that they may be newer than events up to and including a second.
func (r *Reread) MarkKey(key string, until clock.Second) {
	if r.some == nil {
		r.some = map[string]clock.Second{}
	}
	r.some[key] = max(r.some[key], until)
}

// MayBeNewer reports whether records with a key may be newer than an event.
func (r *Reread) MayBeNewer(key string, event clock.Second) bool {
	return event <= r.all || event <= r.some[key] || event <= r.resumed.Until && r.resumed.has(key)
}

// Forget drops what doesn't matter for events at or after a second.
func (r *Reread) Forget(from clock.Second) {
	maps.DeleteFunc(r.some, func(_ string, until clock.Second) bool { return until < from })
	if r.resumed.Until < from {
		r.resumed = rereadFilter{}
	}
}

// Until returns the last second of events that records may be newer than.
func (r *Reread) Until() clock.Second {
	until := max(r.all, r.resumed.Until)
	for _, at := range r.some {
		until = max(until, at)
	}
	return until
}

// IsZero reports whether r is empty.
func (r *Reread) IsZero() bool { return r.all == 0 && len(r.some) == 0 && r.resumed.Until == 0 }

func (r *Reread) clone() Reread {
	clone := *r
	clone.some = maps.Clone(r.some)
	return clone
}

// filter returns the part of r that names keys.
func (r *Reread) filter() rereadFilter {
	f := rereadFilter{Until: r.resumed.Until, Keys: append([]byte(nil), r.resumed.Keys...)}
	if len(f.Keys) == 0 {
		f.Keys = make([]byte, min(max(len(r.some)*filterBits/8, minFilter), maxFilter))
	}
	for key, until := range r.some {
		f.Until = max(f.Until, until)
		f.add(key)
	}
	return f
}

// rereadDocument is the JSON form of a Reread that names keys. Otherwise the JSON is the time up to which all records may
// be newer.
type rereadDocument struct {
	All clock.Second `json:"all,omitzero"`
	rereadFilter
}

// MarshalJSON returns the JSON form of r.
func (r *Reread) MarshalJSON() ([]byte, error) {
	if len(r.some) == 0 && r.resumed.Until == 0 {
		return json.Marshal(r.all)
	}
	return json.Marshal(rereadDocument{r.all, r.filter()})
}

// UnmarshalJSON parses the output of MarshalJSON. The error describes what is wrong.
func (r *Reread) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		var all clock.Second
		if err := json.Unmarshal(text, &all); err != nil {
			return err
		}
		*r = Reread{all: all}
		return nil
	}
	var d rereadDocument
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return fmt.Errorf("reread: %w", err)
	}
	if d.Until == 0 || len(d.Keys) == 0 || len(d.Keys) > maxFilter {
		return errors.New("reread: names no records")
	}
	*r = Reread{all: d.All, resumed: d.rereadFilter}
	return nil
}

// rereadFilter is a Bloom filter of the keys of records that may be newer than events up to and including a second.
type rereadFilter struct {
	Until clock.Second `json:"until"`
	Keys  []byte       `json:"keys"`
}

// The size of a filter in bytes, and the bits per key. They result in a false-positive rate of one in a hundred.
const (
	minFilter  = 8
	maxFilter  = 384
	filterBits = 10
	filterHash = 4 // bits that a key sets
)

func (f *rereadFilter) add(key string) {
	for _, bit := range f.bits(key) {
		f.Keys[bit/8] |= 1 << (bit % 8)
	}
}

func (f *rereadFilter) has(key string) bool {
	for _, bit := range f.bits(key) {
		if f.Keys[bit/8]>>(bit%8)&1 == 0 {
			return false
		}
	}
	return true
}

func (f *rereadFilter) bits(key string) (bits [filterHash]uint32) {
	hash := sha256.Sum256([]byte(key))
	for i := range bits {
		bits[i] = binary.BigEndian.Uint32(hash[4*i:]) % uint32(8*len(f.Keys))
	}
	return bits
}
