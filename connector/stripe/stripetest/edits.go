package stripetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext" // several times faster than encoding/json here
)

// Edit changes how an object looks, to something that Stripe should not send but sometimes does.
type Edit struct {
	// Property is a dotted path of property names and array indexes: "lines", "lines.has_more", "lines.data.0.id". In an
	// event, "data.object" is the payload.
	Property string
	// JSON is the value, written verbatim: {}, null, "a string" in its quotes, or "\ud83d", half of a surrogate pair. If it
	// is empty, the property is removed.
	JSON string
}

// Distort changes how an object looks from now on, wherever it appears: in lists, on its own, inside other objects, in events
// about it, and in Truth. Filters ignore the edits. The returned function undoes them. The id may be that of any object,
// including an event.
//
//	stripe.Distort(invoice, stripetest.Edit{Property: "lines", JSON: "{}"})                          // an embedded list that is not a list
//	stripe.Distort(invoice, stripetest.Edit{Property: "lines.has_more"})                             // or one without has_more
//	stripe.Distort(customer, stripetest.Edit{Property: "name", JSON: `"\ud83d"`})                    // a lone surrogate
//	stripe.Distort(charge, stripetest.Edit{Property: "description", JSON: stripetest.Text(5 << 20)}) // 5 MiB
//	stripe.Distort(card, stripetest.Edit{Property: "object", JSON: `"crypto_wallet"`})               // a type from the future
//	stripe.Distort(event, stripetest.Edit{Property: "data.object.id"})                               // a payload without an id
func (a *Account) Distort(id string, edits ...Edit) (restore func(), err error) {
	a.stripe.lock.Lock()
	defer a.stripe.lock.Unlock()
	t, ok := a.find(id)
	if !ok {
		return nil, fmt.Errorf("distort: no such object: %q", id)
	}
	added := a.distort(t, edits)
	return func() {
		a.stripe.lock.Lock()
		defer a.stripe.lock.Unlock()
		if a.edits[t] = slices.DeleteFunc(a.edits[t], func(d *distortion) bool { return d == added }); len(a.edits[t]) == 0 {
			delete(a.edits, t)
		}
	}, nil
}

// distortion holds the edits of one call of Distort.
type distortion struct{ edits []Edit }

func (a *Account) distort(t ref, edits []Edit) *distortion {
	if a.edits == nil {
		a.edits = map[ref][]*distortion{}
	}
	added := &distortion{edits}
	a.edits[t] = append(a.edits[t], added)
	return added
}

// Text returns a JSON string of n letters.
func Text(n int) string { return `"` + strings.Repeat("x", n) + `"` }

// edited applies an object's edits to the text rendered from start on.
func (r *renderer) edited(t ref, start int) {
	distortions := t.store.account.edits[t]
	if len(distortions) == 1 {
		r.edit(distortions[0].edits, start)
		return
	}
	var edits []Edit
	for _, d := range distortions {
		edits = append(edits, d.edits...)
	}
	r.edit(edits, start)
}

// edit applies edits to the text rendered from start on.
func (r *renderer) edit(edits []Edit, start int) {
	if len(edits) == 0 {
		return
	}
	text, ok := replaced(r.buf[start:], edits)
	if !ok {
		text = slices.Clone(r.buf[start:])
		for _, e := range edits {
			text = e.apply(text)
		}
	}
	r.buf = append(r.buf[:start], text...)
}

// replaced returns the text with the edits applied in one pass. It handles only edits that set top-level properties, which is
// the usual case for objects with dozens of edits, and reports whether it could apply them.
func replaced(text []byte, edits []Edit) ([]byte, bool) {
	values := make(map[string]string, len(edits))
	for _, e := range edits {
		if e.JSON == "" || strings.Contains(e.Property, ".") {
			return nil, false
		}
		values[e.Property] = e.JSON
	}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if opening, err := d.ReadToken(); err != nil || opening.Kind() != '{' {
		return nil, false
	}
	out := make([]byte, 0, len(text)+64*len(edits))
	done := 0 // everything before this offset is already in out
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		value, given := values[name.String()]
		delete(values, name.String())
		old, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		if end := int(d.InputOffset()); given {
			out = append(append(out, text[done:end-len(old)]...), value...)
			done = end
		}
	}
	if _, err := d.ReadToken(); err != nil || len(values) > 0 && done == 0 {
		return nil, false
	}
	out = append(out, text[done:]...)
	for _, name := range slices.Sorted(maps.Keys(values)) { // properties that the object lacked
		out = slices.Insert(out, 1, fmt.Appendf(nil, "%q:%s,", name, values[name])...)
	}
	return out, true
}

// applyTo returns the body with the edit applied, or unchanged if the edit is empty.
func (e Edit) applyTo(body []byte) []byte {
	if e.Property == "" {
		return body
	}
	return e.apply(slices.Clone(body))
}

// apply returns the text with the edit applied. If the path does not exist in the text, it is returned unchanged.
func (e Edit) apply(text []byte) []byte {
	names := strings.Split(e.Property, ".")
	begin, end := 0, len(text)
	for i, name := range names {
		m, ok := member(text[begin:end], name)
		last := i == len(names)-1
		switch {
		case last && ok && e.JSON == "":
			return slices.Delete(text, begin+m.start, begin+m.end)
		case last && ok:
			return slices.Replace(text, begin+m.value, begin+m.valueEnd, []byte(e.JSON)...)
		case last && e.JSON != "" && text[begin] == '{':
			added := fmt.Sprintf("{%q:%s", name, e.JSON)
			if !m.alone {
				added += ","
			}
			return slices.Replace(text, begin, begin+1, []byte(added)...)
		case !ok:
			return text
		}
		begin, end = begin+m.value, begin+m.valueEnd
	}
	return text
}

// found is the position of a member of an object or array: with its comma (start, end), and its value alone.
type found struct {
	start, end, value, valueEnd int
	alone                       bool // the object or array has no other member
}

// member finds a member of an object by name, or of an array by index.
func member(text []byte, name string) (m found, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	opening, err := d.Token()
	if err != nil || opening != json.Delim('{') && opening != json.Delim('[') {
		return found{alone: true}, false
	}
	previous, n := int(d.InputOffset()), 0
	for ; d.More(); n++ {
		key := strconv.Itoa(n)
		if opening == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				return found{}, false
			}
			key, _ = token.(string)
		}
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return found{}, false
		}
		end := int(d.InputOffset())
		if key == name && !ok {
			ok = true
			m = found{start: previous, end: end, value: end - len(raw), valueEnd: end}
			if n == 0 {
				m.end = afterComma(text, end)
			}
		}
		previous = end
	}
	m.alone = n == 0 || ok && n == 1
	return m, ok
}

// afterComma returns the position after a comma that follows at, or at itself if none follows.
func afterComma(text []byte, at int) int {
	rest := bytes.TrimLeft(text[at:], " \n")
	if len(rest) > 0 && rest[0] == ',' {
		return len(text) - len(rest) + 1
	}
	return at
}
