package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// document is the JSON of a ledger.
type document struct {
	From      moment   `json:"from"`
	Until     moment   `json:"until"`
	Applied   []byte   `json:"applied,omitempty"`
	Seen      []string `json:"seen,omitempty"` // of a state of an earlier version
	SeenUntil moment   `json:"seen_until,omitzero"`
}

// moment is Unix seconds, written as RFC 3339.
type moment int64

func (m moment) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Unix(int64(m), 0).UTC().Format(time.RFC3339))
}

func (m *moment) UnmarshalJSON(text []byte) error {
	var t time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("%s is not a time such as 2024-01-31T00:00:00Z", text)
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("%s is not in the years 0 to 9999 of UTC", text)
	}
	*m = moment(t.Unix())
	return nil
}

// MarshalJSON returns the ledger as it was at the last Advance.
func (l *Ledger) MarshalJSON() ([]byte, error) { return l.saved, nil }

// save sets what MarshalJSON returns.
func (l *Ledger) save() {
	d := document{From: moment(l.from), Until: moment(l.until), Applied: l.encode(), Seen: l.legacy.hashes()}
	if len(d.Seen) > 0 {
		d.SeenUntil = moment(l.legacy.until)
	}
	saved, err := json.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("ledger: from %d until %d: %v", l.from, l.until, err)) // a time beyond the year 9999
	}
	l.saved = saved
}

// UnmarshalJSON parses what MarshalJSON returned. The error says what is wrong.
func (l *Ledger) UnmarshalJSON(text []byte) error {
	var d document
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return err
	}
	parsed, err := Migrate(int64(d.From), int64(d.Until), d.Seen)
	if err != nil {
		return err
	}
	parsed.legacy.until = int64(d.SeenUntil)
	if parsed.buckets, err = decode(d.Applied, parsed.from, parsed.until); err != nil {
		return err
	}
	parsed.save()
	*l = *parsed
	return nil
}

// encoding is the first byte of encoded buckets.
const encoding = 1

// What follows the gap before a bucket, in its lowest bits.
const (
	isWide   = 1 << iota // its width, where that isn't a second
	isDue                // when it is due
	flagBits = iota
)

func (l *Ledger) encode() []byte {
	if len(l.buckets) == 0 {
		return nil
	}
	text := []byte{encoding}
	end := l.from
	for _, b := range l.buckets {
		due := b.earliest()
		head := uint64(b.from-end) << flagBits
		if b.until-b.from > 1 {
			head |= isWide
		}
		if due != 0 {
			head |= isDue
		}
		text = binary.AppendUvarint(text, head)
		if head&isWide != 0 {
			text = binary.AppendUvarint(text, uint64(b.until-b.from))
		}
		text = binary.AppendUvarint(text, uint64(b.count))
		text = binary.BigEndian.AppendUint64(text, b.sum.high)
		text = binary.BigEndian.AppendUint32(text, b.sum.low)
		if head&isDue != 0 {
			text = binary.AppendVarint(text, due-b.from)
		}
		end = b.until
	}
	return text
}

var errDamaged = errors.New("the applied events are damaged")

// decode parses buckets, all of which lie between from and until.
func decode(text []byte, from, until int64) ([]*bucket, error) {
	if len(text) == 0 {
		return nil, nil
	}
	if text[0] != encoding {
		return nil, fmt.Errorf("the applied events are in encoding %d, and this release reads %d: use the release that wrote them, or a newer one", text[0], encoding)
	}
	r := bytes.NewReader(text[1:])
	end := from
	var all []*bucket
	for r.Len() > 0 {
		b, err := decodeBucket(r, end, until)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
		end = b.until
	}
	return all, nil
}

// Bounds of what a bucket holds: more is damage.
const (
	mostEvents = 1 << 40
	mostWait   = 1 << 32 // seconds
)

func decodeBucket(r *bytes.Reader, end, until int64) (*bucket, error) {
	head, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, errDamaged
	}
	width := uint64(1)
	if head&isWide != 0 {
		if width, err = binary.ReadUvarint(r); err != nil || width < 1 {
			return nil, errDamaged
		}
	}
	gap, room := head>>flagBits, uint64(until-end)
	if gap > room || width > room-gap {
		return nil, errDamaged
	}
	count, err := binary.ReadUvarint(r)
	var sum [digestSize]byte
	if n, _ := r.Read(sum[:]); err != nil || n < digestSize || count < 1 || count > mostEvents {
		return nil, errDamaged
	}
	b := &bucket{
		from: end + int64(gap), until: end + int64(gap+width), count: int(count),
		sum: digest{binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint32(sum[8:])},
	}
	if head&isDue != 0 {
		wait, err := binary.ReadVarint(r)
		if err != nil || wait < -mostWait || wait > mostWait || b.from+wait == 0 {
			return nil, errDamaged
		}
		b.due = b.from + wait
	}
	return b, nil
}
