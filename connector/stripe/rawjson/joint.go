package rawjson

import (
	"bytes"
	"encoding/binary"
)

// joint is what stands before a value in an object, such as `,\n  "amount": `, or before the end of the object.
//
// The objects of a list are alike: behind a value mostly stands what stood there in the object before. So a scanner
// remembers joints, and which came behind which; where the text goes on as one of them does, it is not looked at by the
// byte. That is a shortcut, and no assumption: nothing is known of a joint but that its text is valid behind a brace, or
// behind a value, and so it is wherever else it stands there.
type joint struct {
	text    words // as it came
	counts  words // which bits of text do; the others are zero
	compact words
	size    int // bytes of text
	written int // bytes of compact
	kind    kind

	inside place // of the object that is the value, or of those in the array that it is
	behind place // behind the value
}

// words are some text.
type words [maxJoint / word]uint64

// place is somewhere that a joint stands, and has those that stood there, the latest first.
type place [4]*joint

// kind is what a joint leads to.
type kind uint8

const (
	toValue kind = iota // of a member, but of those below
	toID
	toType
	toCreated
	toEnd // of the object
	kinds
)

const (
	// maxJoint is how many bytes a joint has that is remembered: nested ones, of an indented name of forty bytes, do.
	maxJoint = 8 * word
	// short is how many bytes of a joint are compared, and written, at once. Most have no more.
	short = maxJoint / 2
	// maxJoints is how many are remembered, which are those of ten kinds of objects. They take some 300 KB.
	maxJoints = 1024
)

// memory is what a scanner remembers from one body to the next.
type memory struct {
	joints map[jointKey]*joint
	root   place        // of an element of a list, or of the body
	others [kinds]joint // that stand for those that are not remembered
}

// jointKey finds a joint again in the objects that begin at a place.
type jointKey struct {
	in   *place
	text words
}

// matches tells whether text begins with the joint: begins and ends do so for its two halves, since the compiler puts
// functions of this size in line.
func (j *joint) matches(text *[maxJoint]byte) bool {
	return j.begins(text) && (j.size <= short || j.ends(text))
}

func (j *joint) begins(text *[maxJoint]byte) bool {
	return (binary.LittleEndian.Uint64(text[0:])&j.counts[0]^j.text[0])|
		(binary.LittleEndian.Uint64(text[8:])&j.counts[1]^j.text[1])|
		(binary.LittleEndian.Uint64(text[16:])&j.counts[2]^j.text[2])|
		(binary.LittleEndian.Uint64(text[24:])&j.counts[3]^j.text[3]) == 0
}

func (j *joint) ends(text *[maxJoint]byte) bool {
	return (binary.LittleEndian.Uint64(text[32:])&j.counts[4]^j.text[4])|
		(binary.LittleEndian.Uint64(text[40:])&j.counts[5]^j.text[5])|
		(binary.LittleEndian.Uint64(text[48:])&j.counts[6]^j.text[6])|
		(binary.LittleEndian.Uint64(text[56:])&j.counts[7]^j.text[7]) == 0
}

// write writes the joint compact.
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

// joint scans the joint at a place in an object whose first place is in, but for the one that stood there last.
func (s *scanner) joint(i, n int, at, in *place) (int, int, *joint) {
	ahead := *(*[maxJoint]byte)(s.src[i:]) // a copy, which out cannot overwrite
	for k := 1; k < len(at) && at[k] != nil; k++ {
		if j := at[k]; j.matches(&ahead) {
			at.lead(j, k)
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
			at.lead(j, len(at)-1)
			return i, n, j
		}
	}
	return i, n, &s.others[to]
}

// lead puts a joint before the first n of a place, over the one behind them.
func (p *place) lead(j *joint, n int) {
	copy(p[1:n+1], p[:n])
	p[0] = j
}

// remember gives the joint of a text, unless there are too many.
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

// kindOf gives what a name and its colon lead to.
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

// newMemory gives a memory of nothing.
func newMemory() memory {
	m := memory{joints: map[jointKey]*joint{}}
	for k := range m.others {
		m.others[k].kind = kind(k)
	}
	return m
}
