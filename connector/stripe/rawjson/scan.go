package rawjson

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner validates JSON in UTF-8 (RFC 8259) and writes it without the white space between tokens, and with lone
// surrogates replaced, in one pass. Its methods take the positions in src and out where they begin, and return those where
// they ended; bad as the first means that src is not valid.
//
// Words are read and written wherever the text goes on, whatever else they hold:
//   - Zeros follow the text in src, as many as the longest joint has bytes. They are valid nowhere in JSON, so every token
//     ends before them.
//   - What is written beyond the end of a token is overwritten by the next.
//   - src and out share memory: out begins as many bytes earlier. Since what is compact is never longer, what is written
//     ends where the text that was read for it began, or before.
type scanner struct {
	src, out []byte
	failed   int // where src turned out not to be valid
	memory
	unmarked [kinds]span // of objects that are no elements
}

const (
	// word is how many bytes are looked at at once.
	word = 8
	// null is the word of the literal.
	null = 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24
	// bad is the position behind what is not valid.
	bad = -1
	// maxDepth is how deep arrays and objects may be nested; jsontext allows the same.
	maxDepth = 10_000
)

// fail tells that src is not valid at i.
func (s *scanner) fail(i, n int) (int, int) {
	s.failed = i
	return bad, n
}

// value scans the value that begins at src[i], within depth arrays and objects. Objects in it begin at the place inside.
func (s *scanner) value(i, n, depth int, inside *place) (int, int) {
	switch s.src[i] {
	case '"':
		return s.text(i, n)
	case '{':
		return s.object(i, n, depth+1, inside, &s.unmarked)
	case '[':
		return s.array(i, n, depth+1, inside)
	case 'n':
		return s.literal(i, n, "null")
	case 't':
		return s.literal(i, n, "true")
	case 'f':
		return s.literal(i, n, "false")
	}
	return s.number(i, n)
}

// object scans an object that begins at the place in, and marks where its values are written, by their kind. It does at
// once, and without calls, what there is most of: joints that are expected, and null.
func (s *scanner) object(i, n, depth int, in *place, marks *[kinds]span) (int, int) {
	if depth > maxDepth {
		return s.fail(i, n)
	}
	s.out[n] = '{'
	i, n = i+1, n+1
	for at := in; ; {
		ahead, j := (*[maxJoint]byte)(s.src[i:]), at[0]
		if j != nil && j.begins(ahead) && (j.size <= short || j.ends(ahead)) {
			j.write((*[maxJoint]byte)(s.out[n:]))
			i, n = i+j.size, n+j.written
		} else if i, n, j = s.joint(i, n, at, in); i == bad {
			return bad, n
		}
		if j.kind == toEnd {
			return i, n
		}
		from := n
		switch w := binary.LittleEndian.Uint32(s.src[i:]); {
		case w == null:
			binary.LittleEndian.PutUint32(s.out[n:], w)
			i, n = i+len("null"), n+len("null")
		case byte(w) == '"':
			i, n = s.text(i, n)
		default: // behind more white space, perhaps, than the joint has
			i, n = s.value(s.space(i), n, depth, &j.inside)
		}
		if i == bad {
			return bad, n
		}
		marks[j.kind] = span{from, n}
		at = &j.behind
	}
}

func (s *scanner) array(i, n, depth int, inside *place) (int, int) {
	if depth > maxDepth {
		return s.fail(i, n)
	}
	i, n, more := s.open(i, n, ']')
	for more {
		if i, n = s.value(i, n, depth, inside); i == bad {
			break
		}
		i, n, more = s.next(i, n, ']')
	}
	return i, n
}

// open scans the bracket that begins an object or array, and the other one if it is empty. Otherwise there is more.
func (s *scanner) open(i, n int, end byte) (int, int, bool) {
	s.out[n] = s.src[i]
	return s.first(i+1, n+1, end)
}

// first scans what follows the bracket that begins an object or array, as next does what follows an element.
func (s *scanner) first(i, n int, end byte) (int, int, bool) {
	i = s.space(i)
	if s.src[i] != end {
		return i, n, true
	}
	s.out[n] = end
	return i + 1, n + 1, false
}

// name scans the name of a member, and goes on to its value.
func (s *scanner) name(i, n int) (int, int) {
	if s.src[i] != '"' {
		return s.fail(i, n)
	}
	i, n = s.text(i, n)
	if i == bad {
		return bad, n
	}
	if s.src[i] != ':' {
		if i = s.space(i); s.src[i] != ':' {
			return s.fail(i, n)
		}
	}
	s.out[n] = ':'
	i, n = i+1, n+1
	if s.src[i] == ' ' { // one, as a rule
		i++
	}
	if s.src[i] <= ' ' {
		i = s.space(i)
	}
	return i, n
}

// next scans what follows an element of an object or array: a comma, behind which there is more, or the end.
func (s *scanner) next(i, n int, end byte) (int, int, bool) {
	if s.src[i] <= ' ' {
		i = s.space(i)
	}
	c := s.src[i]
	s.out[n] = c
	switch c {
	case ',':
		return s.space(i + 1), n + 1, true
	case end:
		return i + 1, n + 1, false
	}
	i, n = s.fail(i, n)
	return i, n, false
}

// space skips white space: mostly the end of a line and the indentation of the next.
func (s *scanner) space(i int) int {
	src := s.src
	for {
		if c := src[i]; c > ' ' || c != '\n' && c != ' ' && c != '\t' && c != '\r' {
			return i
		}
		i++
		blanks := binary.LittleEndian.Uint64(src[i:]) ^ (ones * ' ')
		for blanks == 0 {
			i += word
			blanks = binary.LittleEndian.Uint64(src[i:]) ^ (ones * ' ')
		}
		i += firstByte(blanks)
	}
}

// ones has the value 1 in each byte of a word, and highs the highest bit.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// firstByte is the index of the first byte of a word that is not zero.
func firstByte(w uint64) int { return bits.TrailingZeros64(w) / 8 }

// text scans a string, a word at a time as long as it is plain ASCII.
func (s *scanner) text(i, n int) (int, int) {
	src, out := s.src, s.out
	out[n] = '"'
	i, n = i+1, n+1
	for {
		w := binary.LittleEndian.Uint64(src[i:])
		binary.LittleEndian.PutUint64(out[n:], w)
		// The highest bit of a byte is set here if it is a control character, a quote, a backslash or not ASCII. Borrows
		// come behind the first such one only.
		special := (w | (w - ones*' ') | (w ^ ones*'"' - ones) | (w ^ ones*'\\' - ones)) & highs
		if special == 0 {
			i, n = i+word, n+word
			continue
		}
		plain := firstByte(special)
		i, n = i+plain, n+plain
		var size int
		switch c := src[i]; {
		case c == '"':
			return i + 1, n + 1
		case c == '\\':
			if size = escape(src[i:]); size == lone {
				copy(out[n:], replacement)
				i, n = i+len(replacement), n+len(replacement)
				continue
			}
		case c >= utf8.RuneSelf:
			if _, size = utf8.DecodeRune(src[i:]); size == 1 { // not UTF-8
				return s.fail(i, n)
			}
		}
		if size == 0 { // a control character, or no escape
			return s.fail(i, n)
		}
		copy(out[n:], src[i:i+size])
		i, n = i+size, n+size
	}
}

// lone is what escape returns for half of a surrogate pair.
const lone = -1

// replacement replaces half of a surrogate pair, and is as long. RFC 8259 allows such halves, and names cut in the middle
// of an emoji have them, but they stand for no character: most of what reads JSON refuses them (PostgreSQL's jsonb, I-JSON
// by RFC 7493) or, like encoding/json, reads the replacement.
const replacement = `\ufffd`

// escape returns the length of the escape that src begins with, lone for half of a surrogate pair, or 0 if it is none.
func escape(src []byte) int {
	switch src[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := unicodeEscape(src)
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		if second, ok := unicodeEscape(src[6:]); ok && utf16.DecodeRune(r, second) != utf8.RuneError {
			return 12
		}
		return lone
	}
	return 0
}

// unicodeEscape returns the code unit of an escape such as \u00e9.
func unicodeEscape(src []byte) (rune, bool) {
	if src[0] != '\\' || src[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(src[2:6]), 16, 16)
	return rune(unit), err == nil
}

// literal scans null, true or false. Their last four bytes are compared, and written, at once.
func (s *scanner) literal(i, n int, literal string) (int, int) {
	last := len(literal) - 4
	end := binary.LittleEndian.Uint32(s.src[i+last:])
	if end != uint32(literal[last])|uint32(literal[last+1])<<8|uint32(literal[last+2])<<16|uint32(literal[last+3])<<24 {
		for k := 0; s.src[i] == literal[k]; k++ {
			i++
		}
		return s.fail(i, n)
	}
	s.out[n] = literal[0]
	binary.LittleEndian.PutUint32(s.out[n+last:], end)
	return i + len(literal), n + len(literal)
}

func (s *scanner) number(i, n int) (int, int) {
	src, out := s.src, s.out
	w := binary.LittleEndian.Uint64(src[i:])
	if size := firstByte(otherThanDigits(w)); byte(w) != '0' && 0 < size && size < word {
		if c := src[i+size]; c != '.' && c|' ' != 'e' { // a small one, as most are
			binary.LittleEndian.PutUint64(out[n:], w)
			return i + size, n + size
		}
	}
	if src[i] == '-' {
		out[n] = '-'
		i, n = i+1, n+1
	}
	if src[i] == '0' {
		out[n] = '0'
		i, n = i+1, n+1
	} else if i, n = s.digits(i, n); i == bad {
		return bad, n
	}
	if src[i] == '.' {
		out[n] = '.'
		if i, n = s.digits(i+1, n+1); i == bad {
			return bad, n
		}
	}
	if src[i] == 'e' || src[i] == 'E' {
		out[n] = src[i]
		i, n = i+1, n+1
		if src[i] == '+' || src[i] == '-' {
			out[n] = src[i]
			i, n = i+1, n+1
		}
		return s.digits(i, n)
	}
	return i, n
}

// digits scans at least one digit, a word at a time.
func (s *scanner) digits(i, n int) (int, int) {
	src, out := s.src, s.out
	for start := i; ; {
		w := binary.LittleEndian.Uint64(src[i:])
		binary.LittleEndian.PutUint64(out[n:], w)
		others := otherThanDigits(w)
		if others == 0 {
			i, n = i+word, n+word
			continue
		}
		i, n = i+firstByte(others), n+firstByte(others)
		if i == start {
			return s.fail(i, n)
		}
		return i, n
	}
}

// otherThanDigits sets the highest bit of a byte that is below '0' or above '9'. Carries and borrows come behind the first
// such one only.
func otherThanDigits(w uint64) uint64 { return (w | (w - ones*'0') | (w + ones*(0x7f-'9'))) & highs }
