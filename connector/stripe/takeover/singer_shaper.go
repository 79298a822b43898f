package takeover

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// shaper makes one JSON value fit a shape, in a single pass. It copies unchanged text in long stretches.
type shaper struct {
	text   string // the value, compact
	dst    []byte
	from   int // text from here on isn't in dst yet
	misfit bool
	keys   int // fields of the key that aren't null
}

// shapeValue appends value, made to fit s, to dst. It reports whether a part of it didn't fit and became null.
func shapeValue(dst []byte, s *shape, value string) (shaped []byte, misfit bool) {
	w := shaper{text: value, dst: dst}
	w.flush(w.value(s, 0))
	return w.dst, w.misfit
}

// flush copies the text before an index.
func (w *shaper) flush(to int) {
	w.dst = append(w.dst, w.text[w.from:to]...)
	w.from = to
}

// skip omits the text up to an index.
func (w *shaper) skip(from, to int) {
	w.flush(from)
	w.from = to
}

// value shapes the value at an index, and returns the index after it.
func (w *shaper) value(s *shape, i int) int {
	c := w.text[i]
	switch {
	case c == 'n':
		return i + len("null")
	case s == nil:
		return w.plain(i)
	case s.only != nil:
		end := rawjson.Skip(w.text, i)
		w.skip(i, end)
		part := s.only.Append(nil, w.text[i:end])
		w.dst, _ = shapeValue(w.dst, nil, string(part))
		return end
	case s.format != asIs:
		return w.formatted(s, i)
	case c == '{' && s.kinds&anArray != 0 && w.list(s, i):
		return rawjson.Skip(w.text, i)
	case c == '{' && s.kinds&anObject != 0:
		return w.object(s, i)
	case c == '[' && s.kinds&anArray != 0:
		return w.array(s, i)
	case c == '"' && s.kinds&aString != 0, (c == 't' || c == 'f') && s.kinds&aBoolean != 0:
		return rawjson.Skip(w.text, i)
	}
	return w.scalar(s, i)
}

// scalar shapes a number, or a value whose type is not among those of s.
func (w *shaper) scalar(s *shape, i int) int {
	end := rawjson.Skip(w.text, i)
	value := w.text[i:end]
	isNumber := value[0] == '-' || value[0] >= '0' && value[0] <= '9'
	if isNumber && (s.kinds&aNumber != 0 || s.kinds&anInteger != 0 && !strings.ContainsAny(value, ".eE")) {
		return end
	}
	w.skip(i, end)
	if value[0] == '"' && s.kinds&(anInteger|aNumber) != 0 {
		value = strings.ReplaceAll(rawjson.String(value), ",", "")
		if value == "" {
			w.dst = append(w.dst, "null"...)
			return end
		}
	}
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err == nil && s.kinds&aNumber != 0 && json.Valid([]byte(value)):
		w.dst = append(w.dst, value...)
	case err == nil && s.kinds&anInteger != 0 && n == float64(int64(n)):
		w.dst = strconv.AppendInt(w.dst, int64(n), 10)
	case s.kinds&aString != 0:
		w.dst = appendText(w.dst, value)
	default:
		w.dst = append(w.dst, "null"...)
		w.misfit = true
	}
	return end
}

// appendText appends a value other than a string as a string.
func appendText(dst []byte, value string) []byte { return append(dst, rawjson.Quote(value)...) }

// object shapes an object.
func (w *shaper) object(s *shape, i int) int {
	if s.named == nil && !s.closed {
		return w.plain(i)
	}
	i++
	if w.text[i] == '}' {
		return i + 1
	}
	kept, at := false, 0
	for {
		begin := i
		f, colon := s.find(w.text, i, &at)
		if f == nil && s.closed || f != nil && f.drop {
			end := rawjson.Skip(w.text, colon+1)
			w.drop(begin, end, kept)
			i = end
		} else {
			if f == nil {
				i = w.plain(colon + 1)
			} else {
				if f.key && w.text[colon+1] != 'n' {
					w.keys++
				}
				if f.column != nil {
					w.skip(begin, colon)
					w.dst = append(w.dst, f.column...)
				}
				i = w.value(f.shape, colon+1)
			}
			kept = true
		}
		if w.text[i] == '}' {
			return i + 1
		}
		i++
	}
}

// drop omits a member or element, with the comma before it if something was kept before, or else the comma after it.
func (w *shaper) drop(begin, end int, kept bool) {
	switch {
	case kept:
		w.skip(begin-1, end)
	case w.text[end] == ',':
		w.skip(begin, end+1)
	default:
		w.skip(begin, end)
	}
}

// array shapes an array.
func (w *shaper) array(s *shape, i int) int {
	if s.items == nil {
		return w.plain(i)
	}
	i++
	if w.text[i] == ']' {
		return i + 1
	}
	for {
		if i = w.value(s.items, i); w.text[i] == ']' {
			return i + 1
		}
		i++
	}
}

// listMark is in every embedded list.
const listMark = `"object":"list"`

// plain copies a value of any type. Embedded lists in it become arrays.
func (w *shaper) plain(i int) int {
	end := rawjson.Skip(w.text, i)
	if c := w.text[i]; c != '{' && c != '[' || !strings.Contains(w.text[i:end], listMark) {
		return end
	}
	if w.text[i] == '[' {
		return w.array(&shape{items: anything}, i)
	}
	if w.list(anything, i) {
		return end
	}
	i++
	for w.text[i-1] != '}' && w.text[i] != '}' {
		i = w.plain(rawjson.Skip(w.text, i)+1) + 1
	}
	return end
}

// anything is the shape of a value of any type, whose embedded lists become arrays.
var anything = &shape{kinds: aString | anInteger | aNumber | aBoolean | anObject | anArray}

// list replaces an embedded list by the array of its elements. It reports false if the object is no list.
func (w *shaper) list(s *shape, i int) bool {
	end := rawjson.Skip(w.text, i)
	value := w.text[i:end]
	if !strings.Contains(value, listMark) {
		return false
	}
	if kind, _ := rawjson.Lookup(value, "object"); kind != `"list"` {
		return false
	}
	data, ok := rawjson.Lookup(value, "data")
	if !ok || data[0] != '[' {
		return false
	}
	w.skip(i, end)
	inner := shaper{text: data, dst: w.dst}
	inner.flush(inner.array(s, 0))
	w.dst, w.misfit = inner.dst, w.misfit || inner.misfit
	return true
}

// formatted shapes a value that becomes text.
func (w *shaper) formatted(s *shape, i int) int {
	end := rawjson.Skip(w.text, i)
	value := w.text[i:end]
	isString := value[0] == '"'
	switch {
	case isString && (s.format == asText || s.format == asDecimal):
		return end
	case s.format == asText, s.format == asDecimal && value[0] != '{' && value[0] != '[':
		w.skip(i, end)
		w.dst = appendText(w.dst, value)
		return end
	}
	w.skip(i, end)
	var ok bool
	switch s.format {
	case asTime:
		w.dst, ok = appendTime(w.dst, value)
	case asIDs:
		w.dst, ok = appendIDs(w.dst, value)
	case asIs, asText, asDecimal:
	}
	if !ok {
		w.dst = append(w.dst, "null"...)
		w.misfit = true
	}
	return end
}

// timeLayout is how the tap writes times.
const timeLayout = `"2006-01-02T15:04:05.000000Z"`

// lastSecond is the end of the year 9999, which is the last that a date-time can express.
const lastSecond = 253402300799

// appendTime appends Unix seconds as a date-time. The empty string becomes null, and a string that is a date-time stays.
func appendTime(dst []byte, value string) ([]byte, bool) {
	if value == `""` {
		return append(dst, "null"...), true
	}
	if value[0] == '"' {
		t, err := time.Parse(time.RFC3339, rawjson.String(value))
		if err != nil || t.UTC().Year() > 9999 || t.UTC().Year() < 1 {
			return dst, false
		}
		return t.UTC().AppendFormat(dst, timeLayout), true
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n < 0 || n > lastSecond {
		return dst, false
	}
	return appendSecond(dst, int64(n)), true
}

// appendSecond appends Unix seconds in timeLayout. It takes a fifth of the time of AppendFormat.
func appendSecond(dst []byte, n int64) []byte {
	t := time.Unix(n, 0).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	two := func(n int, after byte) { dst = append(dst, byte('0'+n/10), byte('0'+n%10), after) }
	dst = append(dst, '"', byte('0'+year/1000), byte('0'+year/100%10))
	two(year%100, '-')
	two(int(month), '-')
	two(day, 'T')
	two(hour, ':')
	two(minute, ':')
	two(second, '.')
	return append(dst, `000000Z"`...)
}

// appendIDs appends the ids of an array or embedded list of objects, or null if it is empty.
func appendIDs(dst []byte, value string) ([]byte, bool) {
	if value[0] == '{' {
		data, ok := rawjson.Lookup(value, "data")
		if !ok {
			return dst, false
		}
		value = data
	}
	if value[0] != '[' {
		return dst, false
	}
	dst = append(dst, '[')
	for element := range rawjson.Elements(value) {
		id := element
		if element[0] == '{' {
			id, _ = rawjson.Lookup(element, "id")
		}
		if len(id) == 0 || id[0] != '"' {
			continue
		}
		dst = append(append(dst, id...), ',')
	}
	if dst[len(dst)-1] == '[' {
		return append(dst[:len(dst)-1], "null"...), true
	}
	return append(bytes.TrimSuffix(dst, []byte(",")), ']'), true
}
