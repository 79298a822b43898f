package stripetest

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// builder generates variants of a kind from the schema of its object type.
type builder struct {
	model   *model
	kind    *kind
	variant int
	rand    *rand.Rand
	// old selects the shape of an old API version.
	old bool
	// base is the same variant in APIVersion, whose plain values the object shares; nil for that version itself.
	base *variant
	// status and sort are the top-level status and type, which other properties must be consistent with.
	status, sort string
	// amounts counts the amounts of a balance, each of which has a different currency.
	amounts int
}

// begin decides the properties that others depend on, then generates the object.
func (b *builder) begin(n *node) value {
	if status := n.Properties["status"]; status != nil && len(status.Examples) > 0 {
		b.status = status.Examples[usual(status.Examples, b.variant)]
	}
	if t := n.Properties["type"]; t != nil && len(t.Examples) > 0 {
		b.sort = t.Examples[(b.variant/3+b.variant)%len(t.Examples)]
	}
	if b.base == nil {
		return b.object("", n)
	}
	b.status, b.sort = b.shared("status", b.status), b.shared("type", b.sort)
	v := b.object("", n)
	for i, f := range v.fields {
		if text := b.base.scalars[f.name]; text != "" && f.value.text != "" && n.Properties[f.name].admits(text) {
			v.fields[i].value.text = text
		}
	}
	return v
}

// shared returns the text of a property in APIVersion, or else own.
func (b *builder) shared(name, own string) string {
	var text string
	if json.Unmarshal([]byte(b.base.scalars[name]), &text) != nil || text == "" {
		return own
	}
	return text
}

// admits reports whether a scalar has one of the node's types.
func (n *node) admits(text string) bool {
	kind := "number"
	switch text[0] {
	case '"':
		kind = "string"
	case 't', 'f':
		kind = "boolean"
	case 'n':
		kind = "null"
	}
	return slices.Contains(n.Type, kind) || kind == "number" && slices.Contains(n.Type, "integer")
}

// usual returns the index of a variant's status. Each status occurs in one variant, and the most common one in all others.
func usual(statuses []string, variant int) int {
	if variant < len(statuses) {
		return variant
	}
	for _, status := range []string{"succeeded", "active", "paid", "complete", "accepted", "closed", "posted", "verified", "won"} {
		if i := slices.Index(statuses, status); i >= 0 {
			return i
		}
	}
	return variant % len(statuses)
}

// object generates an object. The path is "" for the top level, and otherwise ends in a dot.
func (b *builder) object(path string, n *node) value {
	names := make([]string, 0, len(n.Properties))
	for name := range n.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, compareProperties)
	chosen := b.choose(n)
	var v value
	for _, name := range names {
		p := n.Properties[name]
		if name == "type" && chosen != "" {
			v.fields = append(v.fields, field{name: name, value: quoted(chosen)})
			continue
		}
		f, ok := b.property(path, name, p, name == chosen)
		if ok {
			v.fields = append(v.fields, f)
		}
	}
	if b.old && path == "" {
		v.fields = oldShape(b.kind.object, v.fields)
	}
	return v
}

// compareProperties orders properties as Stripe does: id, object, then the others alphabetically.
func compareProperties(a, b string) int {
	rank := func(name string) int { return slices.Index([]string{"object", "id"}, name) }
	if ra, rb := rank(a), rank(b); ra != rb {
		return rb - ra
	}
	return strings.Compare(a, b)
}

// choose picks one of an object's alternatives: {"type": "card", "card": {…}} has no property bancontact.
func (b *builder) choose(n *node) string {
	t := n.Properties["type"]
	if t == nil || t.Type[0] != "string" {
		return ""
	}
	var alternatives []string
	for name, p := range n.Properties {
		if p.Optional && p.Type[0] == "object" && (len(t.Examples) == 0 || slices.Contains(t.Examples, name)) {
			alternatives = append(alternatives, name)
		}
	}
	slices.Sort(alternatives)
	if len(alternatives) == 0 {
		return ""
	}
	if slices.Contains(alternatives, "card") && b.rand.IntN(3) > 0 {
		return "card"
	}
	return alternatives[b.rand.IntN(len(alternatives))]
}

// property generates one property, or reports false to omit it.
func (b *builder) property(path, name string, n *node, chosen bool) (field, bool) {
	full := path + name
	f := field{name: name}
	if full == secret {
		f.guard = secret
	}
	if e, ok := b.kind.lists[full]; ok {
		f.value = hole(slot{kind: slotList, path: full, list: &e})
		if n.Optional {
			f.guard = full
		}
		return f, true
	}
	relation := b.kind.relation(full)
	if n.Optional && !chosen && !b.holds(full, n) && (relation == nil || relation.empty()) {
		switch {
		case relation != nil:
			return f, false
		case n.Includable != "": // https://docs.stripe.com/expand#with-includable
			f.guard = full
		case path == "" && n.list(), name == "deleted", n.Type[0] == "object" || n.Type[0] == "array", len(n.Expandable) > 0,
			b.rand.IntN(3) == 0:
			return f, false
		}
	}
	f.value = b.value(full, name, n)
	if s := f.value.slot; s != nil && s.relation != nil && n.Optional && !n.nullable() {
		f.needs = s.relation
	}
	return f, true
}

// value generates a value.
func (b *builder) value(full, name string, n *node) value {
	top := full == name
	if v, ok := b.special(full, name, n); ok {
		return v
	}
	if r := b.kind.relation(full); r != nil && (len(n.Object) > 0 || n.Type[0] == "string") {
		return b.related(full, n, r)
	}
	if n.nullable() && !b.holds(full, n) && b.null(name, top) {
		return literal("null")
	}
	if len(n.Expandable)+len(n.References)+len(n.Object) > 0 {
		return b.anyone(full, n)
	}
	switch n.Type[0] {
	case "object":
		return b.object(full+".", n)
	case "array":
		return b.array(full, name, n.Items)
	case "boolean":
		return literal(strconv.FormatBool(name == "active" && b.variant%4 != 3 || name != "active" && b.rand.IntN(2) == 0))
	case "integer":
		return b.integer(name, n)
	case "number":
		return literal([]string{"0.5", "12.75", "19.0", "1.234567", "7.0"}[b.rand.IntN(5)])
	}
	return b.text(name, top, n)
}

// holds reports whether an object property holds an embedded list.
func (b *builder) holds(property string, n *node) bool {
	for path := range b.kind.lists {
		below, ok := strings.CutPrefix(path, property+".")
		name, _, _ := strings.Cut(below, ".")
		if ok && n.Properties[name] != nil {
			return true
		}
	}
	return false
}

// null decides whether a nullable value is null.
func (b *builder) null(name string, top bool) bool {
	switch {
	case name == "canceled_at", name == "ended_at":
		return b.status != "canceled"
	case name == "recurring" && top:
		return b.sort != "recurring"
	}
	if !top {
		return b.rand.IntN(2) == 0
	}
	return b.rand.IntN(5) < 2
}

func (b *builder) array(full, name string, items *node) value {
	v := value{array: true}
	for range b.rand.IntN(3) {
		v.items = append(v.items, b.value(full+"[]", name+"[]", items))
	}
	return v
}

// related generates a relation that the kind describes.
func (b *builder) related(full string, n *node, r *relation) value {
	s := slot{kind: slotRelation, path: full, relation: r, missing: "null"}
	if len(n.Object) > 0 {
		s.kind = slotSnapshot
	}
	if !n.nullable() && len(n.Object) == 0 {
		s.missing = `"` + full + `_missing"`
	}
	return hole(s)
}

// anyone generates a relation to any object of a suitable kind.
func (b *builder) anyone(full string, n *node) value {
	objects := slices.Concat(n.Expandable, n.References, n.Object)
	var fitting []string
	for _, object := range objects {
		if k := b.model.kindOf(object); k != "" && k != "event" {
			fitting = append(fitting, k)
		}
	}
	if len(fitting) == 0 {
		if n.nullable() {
			return literal("null")
		}
		return quoted(strings.ReplaceAll(objects[0], ".", "_") + "_1" + strconv.Itoa(b.variant))
	}
	r := to(full, 100, fitting...)
	r.salt = saltOf(full)
	r.always = !n.nullable() && !n.Optional
	return b.related(full, n, &r)
}
