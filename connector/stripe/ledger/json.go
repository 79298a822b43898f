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
	Seen      []string `json:"seen,omitempty"` // from a state of an earlier version
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
		return fmt.Errorf("%s is not between the years 0 and 9999 in UTC", text)
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
		panic(fmt.Sprintf("ledger: from %d until %d: %v", l.from, l.until, err)) // a time after the year 9999
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

// The first byte of encoded buckets. In the first encoding, sums have 12 bytes.
const (
	firstEncoding = 1
	encoding      = 2
)

// Flags in the lowest bits of the gap before a bucket. They say what follows the gap.
const (
	isWide = 1 << iota // the bucket's width, if that isn't one second
	isDue              // when its events are due
	isLong             // the size of its sum, if that isn't minSum; not in the first encoding
	isPart             // which of its events are due, if not all are; not in the first encoding
)

// maxMarks is the most events that a state marks individually as due. Beyond that, it marks all events of a bucket.
const maxMarks = 64

// To find the events that were added to a second, its sum needs about one bit per event, plus some for certainty. Most late events
// become visible soon after their creation, so the sums of young seconds may be longer than others.
const (
	minSum   = 9
	oldSum   = 12
	youngAge = 30   // seconds
	maxText  = 5400 // if the text is longer, the sums of old seconds have minSum bytes
)

// sumSize returns how many bytes of the bucket's sum to save: at most maximum, unless the bucket is young.
func (l *Ledger) sumSize(b *bucket, maximum int) int {
	size := max(minSum, (b.count+b.count/4+certainty+7)/8)
	if l.until-b.until < youngAge {
		maximum = digestBytes
	}
	return min(size, maximum, b.sumBytes)
}

func (l *Ledger) encode() []byte {
	if len(l.buckets) == 0 {
		return nil
	}
	text := l.encodeWith(oldSum)
	if len(text) > maxText {
		text = l.encodeWith(minSum)
	}
	return text
}

// encodeWith encodes the buckets. The sums of old ones have at most maxOldSum bytes.
func (l *Ledger) encodeWith(maxOldSum int) []byte {
	text := []byte{encoding}
	end, marked := l.from, 0
	for _, b := range l.buckets {
		due, marks, size := b.earliest(), b.marks(), l.sumSize(b, maxOldSum)
		head := uint64(b.from-end) << flagBits(encoding)
		if b.until-b.from > 1 {
			head |= isWide
		}
		if due != 0 {
			head |= isDue
		}
		if size != minSum {
			head |= isLong
		}
		if marked += len(marks); due != 0 && len(marks) > 0 && marked <= maxMarks {
			head |= isPart
		}
		text = binary.AppendUvarint(text, head)
		if head&isWide != 0 {
			text = binary.AppendUvarint(text, uint64(b.until-b.from))
		}
		if head&isLong != 0 {
			text = append(text, byte(size))
		}
		text = binary.AppendUvarint(text, uint64(b.count))
		text = append(text, b.sum.bytes()[:size]...)
		if head&isDue != 0 {
			text = binary.AppendVarint(text, due-b.from)
		}
		if head&isPart != 0 {
			text = append(text, byte(len(marks)))
			for _, m := range marks {
				text = binary.BigEndian.AppendUint16(text, uint16(m))
			}
		}
		end = b.until
	}
	return text
}

// flagBits returns how many flags precede the gap before a bucket.
func flagBits(encoding byte) int {
	if encoding == firstEncoding {
		return 2
	}
	return 4
}

var errDamaged = errors.New("the applied events are damaged")

// decode parses buckets, which must lie between from and until.
func decode(text []byte, from, until int64) ([]*bucket, error) {
	if len(text) == 0 {
		return nil, nil
	}
	if text[0] != encoding && text[0] != firstEncoding {
		return nil, fmt.Errorf("the applied events are in encoding %d, and this release reads %d and %d: use the release that wrote them, or a newer one",
			text[0], firstEncoding, encoding)
	}
	r := bytes.NewReader(text[1:])
	end := from
	var all []*bucket
	for r.Len() > 0 {
		b, err := decodeBucket(r, text[0], end, until)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
		end = b.until
	}
	return all, nil
}

// Limits on the values of a bucket. Larger values mean that the state is damaged.
const (
	maxEvents = 1 << 40
	maxWait   = 1 << 32 // seconds
)

func decodeBucket(r *bytes.Reader, encoding byte, end, until int64) (*bucket, error) {
	head, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, errDamaged
	}
	flags := flagBits(encoding)
	has := func(flag uint64) bool { return head&(1<<flags-1)&flag != 0 }
	width := uint64(1)
	if has(isWide) {
		if width, err = binary.ReadUvarint(r); err != nil || width < 1 {
			return nil, errDamaged
		}
	}
	gap, room := head>>flags, uint64(until-end)
	if gap > room || width > room-gap {
		return nil, errDamaged
	}
	b := &bucket{from: end + int64(gap), until: end + int64(gap+width)}
	if err := b.decodeSum(r, encoding, has(isLong)); err != nil {
		return nil, err
	}
	return b, b.decodeDue(r, has(isDue), has(isPart))
}

// decodeDue parses when events of the bucket are due, and which ones.
func (b *bucket) decodeDue(r *bytes.Reader, due, part bool) error {
	if !due {
		return nil
	}
	wait, err := binary.ReadVarint(r)
	if err != nil || wait < -maxWait || wait > maxWait || b.from+wait == 0 {
		return errDamaged
	}
	b.due = b.from + wait
	if !part {
		return nil
	}
	n, err := r.ReadByte()
	marks := make([]byte, 2*int(n))
	if read, _ := r.Read(marks); err != nil || n < 1 || read < len(marks) {
		return errDamaged
	}
	for ; len(marks) > 0; marks = marks[2:] {
		b.awaits = append(b.awaits, mark(binary.BigEndian.Uint16(marks)))
	}
	return nil
}

// decodeSum parses the number and the sum of the events.
func (b *bucket) decodeSum(r *bytes.Reader, encoding byte, long bool) error {
	b.sumBytes = minSum
	if encoding == firstEncoding {
		b.sumBytes = 12
	}
	if long {
		size, err := r.ReadByte()
		if err != nil || size < 1 || size > digestBytes {
			return errDamaged
		}
		b.sumBytes = int(size)
	}
	count, err := binary.ReadUvarint(r)
	sum := make([]byte, b.sumBytes)
	if n, _ := r.Read(sum); err != nil || n < len(sum) || count < 1 || count > maxEvents {
		return errDamaged
	}
	b.count, b.sum = int(count), digestFrom(sum)
	return nil
}
