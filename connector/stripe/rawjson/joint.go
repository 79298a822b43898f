package rawjson

import (
	"bytes"
	"encoding/binary"
)

// joint is the text before a value in an object, such as `,\n  "amount": `, or before the end of the object.
//
// The objects of a list are similar: a value is usually followed by the same joint as in the previous object. So a scanner
// remembers joints and which joint came after which. Where the text continues with a known joint, it isn't scanned byte by
// byte. This is a shortcut and not an assumption about the data: all that is known about a joint is that its text is valid
// after a brace, or after a value, and that holds wherever it occurs in such a position.
type joint struct {
	text    words // the text as received
	counts  words // mask of the bits of text that count; the others are zero
	compact words
	size    int // length of text in bytes
	written int // length of compact in bytes
	kind    kind

	inside place // start of the object that is the value, or of the objects in the array that is the value
	after  place // the place after the value
}

// words is text, in words of eight bytes.
type words [maxJoint / word]uint64

// place is a position where a joint can occur. It holds the joints that occurred there, most recent first.
type place [4]*joint

// kind says what a joint leads to.
type kind uint8

const (
	toValue kind = iota // value of any other member
	toID
	toType
	toCreated
	toEnd // end of the object
	kinds
)

const (
	// maxJoint is the most bytes of a joint that is remembered: enough for an indented name of forty bytes.
	maxJoint = 8 * word
	// short is the number of bytes of a joint that are compared and written at once. Most joints aren't longer.
	short = maxJoint / 2
	// maxJoints is the most joints that are remembered: those of about ten object types. They take some 300 KB.
	maxJoints = 1024
)

// memory is what a scanner remembers between bodies.
type memory struct {
	joints map[jointKey]*joint
	root   place        // start of an element of a list, or of the body
	others [kinds]joint // placeholders for joints that are not remembered
}

// jointKey identifies a joint among those of the objects that start at a place.
type jointKey struct {
	in   *place
	text words
}

// matches reports whether text begins with the joint. The comparison is split into two functions of a size that the
// compiler inlines.
func (j *joint) matches(text *[maxJoint]byte) bool {
	return j.matchesFirst(text) && (j.size <= short || j.matchesRest(text))
}

func (j *joint) matchesFirst(text *[maxJoint]byte) bool {
	return (binary.LittleEndian.Uint64(text[0:])&j.counts[0]^j.text[0])|
		(binary.LittleEndian.Uint64(text[8:])&j.counts[1]^j.text[1])|
		(binary.LittleEndian.Uint64(text[16:])&j.counts[2]^j.text[2])|
		(binary.LittleEndian.Uint64(text[24:])&j.counts[3]^j.text[3]) == 0
}

func (j *joint) matchesRest(text *[maxJoint]byte) bool {
	return (binary.LittleEndian.Uint64(text[32:])&j.counts[4]^j.text[4])|
		(binary.LittleEndian.Uint64(text[40:])&j.counts[5]^j.text[5])|
		(binary.LittleEndian.Uint64(text[48:])&j.counts[6]^j.text[6])|
		(binary.LittleEndian.Uint64(text[56:])&j.counts[7]^j.text[7]) == 0
}

// write writes the compact form of the joint.
func (j *joint) write(out *[maxJoint]byte) {
	binary.LittleEndian.PutUint64(out[0:], j.compact[0])
	binary.LittleEndian.PutUint64(out[8:], j.compact[1])
	binary.LittleEndian.PutUint64(out[16:], j.compact[2])
	binary.LittleEndian.PutUint64(out[24:], j.compact[3])
	if j.written > short {
		binary.LittleEndian.PutUint64(out[32:], j.compact[4])
		binary.LittleEndian.PutUint64(out[40:], j.compact[5])
		binary.LittleEndian.PutUint64(out[48:], j.compact[6])
		binary.LittleEndian.PutUint64(out[56:], j.compact[7])
	}
}

// joint scans the joint at the place at, in an object that starts at the place in. The caller has already tried the joint
// that occurred there last.
func (s *scanner) joint(i, n int, at, in *place) (int, int, *joint) {
	ahead := *(*[maxJoint]byte)(s.src[i:]) // a copy, because writing to out can overwrite src
	for k := 1; k < len(at) && at[k] != nil; k++ {
		if j := at[k]; j.matches(&ahead) {
			at.moveToFront(j, k)
			j.write((*[maxJoint]byte)(s.out[n:]))
			return i + j.size, n + j.written, j
		}
	}
	begin, from, to := i, n, toEnd
	var more bool
	if at == in {
		i, n, more = s.first(i, n, '}')
	} else {
		i, n, more = s.next(i, n, '}')
	}
	if more {
		name := n
		if i, n = s.name(i, n); i != bad {
			to = kindOf(s.out[name:n])
		}
	}
	if i == bad {
		return bad, n, nil
	}
	if size := i - begin; size <= maxJoint {
		if j := s.remember(ahead[:size], s.out[from:n], to, in); j != nil {
			at.moveToFront(j, len(at)-1)
			return i, n, j
		}
	}
	return i, n, &s.others[to]
}

// moveToFront puts a joint in front of the first n joints of a place, overwriting the one after them.
func (p *place) moveToFront(j *joint, n int) {
	copy(p[1:n+1], p[:n])
	p[0] = j
}

// remember returns the joint with this text, or nil if too many are remembered.
func (s *scanner) remember(text, compact []byte, to kind, in *place) *joint {
	key := jointKey{in, wordsOf(text)}
	j := s.joints[key]
	if j == nil && len(s.joints) < maxJoints {
		counts := bytes.Repeat([]byte{0xff}, len(text))
		j = &joint{
			text: key.text, counts: wordsOf(counts), compact: wordsOf(compact), size: len(text), written: len(compact), kind: to,
		}
		s.joints[key] = j
	}
	return j
}

func wordsOf(text []byte) (w words) {
	var padded [maxJoint]byte
	copy(padded[:], text)
	for k := range w {
		w[k] = binary.LittleEndian.Uint64(padded[k*word:])
	}
	return w
}

// kindOf returns the kind of a joint that ends with this name and colon.
func kindOf(name []byte) kind {
	switch string(name) {
	case `"id":`:
		return toID
	case `"object":`:
		return toType
	case `"created":`:
		return toCreated
	}
	return toValue
}

// newMemory returns an empty memory.
func newMemory() memory {
	m := memory{joints: map[jointKey]*joint{}}
	for k := range m.others {
		m.others[k].kind = kind(k)
	}
	return m
}
