package stripetest

import (
	"net/url"
	"strconv"
	"strings"
)

// renderer writes JSON. Its user must hold the Stripe's lock for reading.
type renderer struct {
	buf  []byte
	now  int64
	live bool
	// nesting is the current depth of objects within objects.
	nesting int
	// model has the shapes of the response's version.
	model *model
	// secrets includes client_secrets.
	secrets bool
	// released, if set, is a relation to show as null.
	released string
}

// tooDeep is the depth at which nested objects end. No expansion that Stripe allows reaches it.
const tooDeep = 12

// object writes an object at the given revision.
func (r *renderer) object(t ref, revision int32, e expansion, level int, old bool) {
	if r.nesting >= tooDeep {
		r.buf = append(r.buf, "null"...)
		return
	}
	r.nesting++
	start := len(r.buf)
	steps := r.model.numbered[t.store.shape.number].templates(level, old)[t.store.variant(t.ordinal, revision)]
	for i := 0; i < len(steps); i++ {
		step := &steps[i]
		if step.skip > 0 {
			if !r.wants(step, t, e) {
				i += step.skip
			}
			continue
		}
		r.buf = append(r.buf, step.text...)
		if step.slot != nil {
			r.fill(t, revision, e, step.level, step.slot)
		}
	}
	if t.store.account.edits != nil {
		r.edited(t, start)
	}
	r.nesting--
}

// wants reports whether an object includes the steps that s guards.
func (r *renderer) wants(s *step, t ref, e expansion) bool {
	if s.guard == secret {
		return r.secrets
	}
	if s.needs != nil {
		_, ok := t.store.resolve(t.ordinal, s.needs)
		return ok
	}
	_, expanded := e.at(s.guard)
	return expanded
}

// fill writes the content of a slot.
func (r *renderer) fill(t ref, revision int32, e expansion, level int, s *slot) {
	switch s.kind {
	case slotID:
		r.id(t)
	case slotCreated, slotTime:
		r.buf = strconv.AppendInt(r.buf, int64(t.store.time(t.ordinal))+s.delta, 10)
	case slotLivemode:
		r.buf = strconv.AppendBool(r.buf, r.live)
	case slotMetadata:
		r.metadata(t, revision, level)
	case slotAmount:
		r.amount(t)
	case slotEmail, slotName, slotNumber:
		r.person(t, s.kind)
	case slotOwnership:
		r.ownership(t)
	case slotSettled:
		if r.now >= int64(t.store.time(t.ordinal))+s.delta || t.isPaidOut(r.now) {
			r.buf = append(r.buf, `"available"`...)
		} else {
			r.buf = append(r.buf, `"pending"`...)
		}
	case slotReconciled:
		if t.isReconciled(r.now) {
			r.buf = append(r.buf, `"completed"`...)
		} else {
			r.buf = append(r.buf, `"in_progress"`...)
		}
	case slotRelation, slotSnapshot:
		r.related(t, e, level, s)
	case slotList:
		below, expanded := e.at(s.path)
		r.embedded(t, revision, below, expanded, level, s.list)
	default:
		r.event(t, level, s)
	}
}

func (r *renderer) id(t ref) {
	r.buf = append(r.buf, '"')
	r.buf = t.store.appendID(r.buf, t.ordinal)
	r.buf = append(r.buf, '"')
}

// related writes the id of the object that a relation points to, or the object itself if expanded or always shown in full.
func (r *renderer) related(t ref, e expansion, level int, s *slot) {
	target, ok := t.store.resolve(t.ordinal, s.relation)
	if !ok || s.relation.field == r.released {
		r.buf = append(r.buf, s.missing...)
		return
	}
	below, expanded := e.at(s.path)
	switch {
	case s.kind == slotSnapshot:
		r.snapshot(t, target, below, level)
	case !expanded || target.store.kind.hidden:
		r.id(target)
	case !target.store.isAlive(target.ordinal):
		r.deleted(target, level)
	default:
		r.object(target, target.store.revision(target.ordinal), below, level, false)
	}
}

// snapshot writes an object in its original state, as of the creation of t, which embeds it. Later changes of a price do not
// show in old invoice lines, and a dispute does not change when its balance transaction settles.
func (r *renderer) snapshot(t, target ref, e expansion, level int) {
	now := r.now
	r.now = int64(t.store.time(t.ordinal))
	r.object(target, 0, e, level, false)
	r.now = now
}

// deleted writes the remains of a deleted object.
func (r *renderer) deleted(t ref, level int) {
	c := compiler{}
	c.object([]field{{name: "id", value: quoted(t.store.id(t.ordinal))}, {name: "object", value: quoted(t.store.kind.object)},
		{name: "deleted", value: literal("true")}}, level)
	r.buf = append(r.buf, c.text.String()...)
}

// embeddedLimit is the maximum length of an embedded list (https://docs.stripe.com/api/invoices/object#invoice_object-lines).
const embeddedLimit = 10

// embedded writes the list of objects that point to t.
func (r *renderer) embedded(t ref, revision int32, e expansion, expanded bool, level int, l *embedded) {
	items := t.store.account.embedded(t, revision, l)
	object := func(item ref, e expansion, level int) {
		rev := item.store.revision(item.ordinal)
		if l.by == "^" && item.store.kind.isTied() {
			rev = revision
		}
		r.object(item, rev, e, level, false)
	}
	switch l.form {
	case asObject:
		if len(items) == 0 {
			r.buf = append(r.buf, "null"...)
			return
		}
		object(items[0], e, level)
	case asArray:
		r.array(items, level, func(item ref, level int) {
			if expanded {
				object(item, e, level)
			} else {
				r.id(item)
			}
		})
	default:
		more := len(items) > embeddedLimit
		items = items[:min(len(items), embeddedLimit)]
		below, _ := e.at("data")
		r.list(items, more, urlOf(l.url, t.store.id(t.ordinal)), level, func(item ref, level int) { object(item, below, level) })
	}
}

func urlOf(pattern, id string) string { return strings.Replace(pattern, "%s", url.PathEscape(id), 1) }

// list writes a list in Stripe's format, calling write for each item.
func (r *renderer) list(items []ref, more bool, url string, level int, write func(ref, int)) {
	r.buf = append(r.buf, '{')
	r.property("object", deeper(level), false)
	r.buf = append(r.buf, `"list"`...)
	r.property("data", deeper(level), true)
	r.array(items, deeper(level), write)
	r.property("has_more", deeper(level), true)
	r.buf = strconv.AppendBool(r.buf, more)
	r.property("url", deeper(level), true)
	r.buf = append(r.buf, quoted(url).text...)
	r.line(level)
	r.buf = append(r.buf, '}')
}

// array writes an array, calling write for each item.
func (r *renderer) array(items []ref, level int, write func(ref, int)) {
	r.buf = append(r.buf, '[')
	for i, item := range items {
		if i > 0 {
			r.buf = append(r.buf, ',')
		}
		r.line(deeper(level))
		write(item, deeper(level))
	}
	if len(items) > 0 {
		r.line(level)
	}
	r.buf = append(r.buf, ']')
}

func (r *renderer) property(name string, level int, comma bool) {
	if comma {
		r.buf = append(r.buf, ',')
	}
	r.line(level)
	r.buf = append(r.buf, '"')
	r.buf = append(r.buf, name...)
	r.buf = append(r.buf, '"', ':')
	if level >= 0 {
		r.buf = append(r.buf, ' ')
	}
}

const spaces = "\n                                                                                "

func (r *renderer) line(level int) {
	if level >= 0 {
		r.buf = append(r.buf, spaces[:1+2*min(level, (len(spaces)-1)/2)]...)
	}
}
