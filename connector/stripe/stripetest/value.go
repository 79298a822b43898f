package stripetest

import "encoding/json"

// value is a JSON value with holes. The rest is common to all objects of a variant.
type value struct {
	// One of these is set: the text of a scalar, a slot, the fields of an object, or the items of an array.
	text   string
	slot   *slot
	fields []field
	items  []value
	// array distinguishes an empty array from an empty object.
	array bool
}

// field is a property of an object.
type field struct {
	name  string
	value value
	// guard, if set, is the path that must be expanded for the property to be present.
	guard string
	// needs, if set, is a relation that must point to something for the property to be present.
	needs *relation
}

// isConditional reports whether the property may be omitted.
func (f field) isConditional() bool { return f.guard != "" || f.needs != nil }

// slotKind is the kind of content that fills a hole.
type slotKind uint8

const (
	slotID slotKind = iota
	slotCreated
	// slotTime is the creation time plus the slot's delta, in seconds.
	slotTime
	slotLivemode
	slotMetadata
	slotAmount
	slotEmail
	slotName
	slotNumber
	// slotRelation is the id of another object, or the object.
	slotRelation
	// slotSnapshot is another object in full, in its original state.
	slotSnapshot
	slotList
	// slotSettled is "pending" until the creation time plus delta or until it is paid out, then "available".
	slotSettled
	// slotReconciled is "in_progress" until a payout's transactions are known, then "completed".
	slotReconciled
	// slotOwnership is the ownership id of a Financial Connections account.
	slotOwnership
	slotEventType
	slotEventVersion
	slotEventObject
	slotEventRequest
)

// slot is a placeholder to be filled in for each object.
type slot struct {
	kind     slotKind
	path     string
	delta    int64
	relation *relation
	list     *embedded
	// missing is the text used if the relation points to nothing.
	missing string
}

func literal(text string) value { return value{text: text} }

func quoted(text string) value {
	// Encoding a string cannot fail.
	encoded, _ := json.Marshal(text)
	return value{text: string(encoded)}
}

func hole(s slot) value { return value{slot: &s} }

// variant is one of the forms that objects of a kind can take, apart from their slots.
type variant struct {
	root value
	// scalars holds the top-level properties by which lists can be filtered, as JSON text.
	scalars map[string]string
}

func newVariant(root value) variant {
	v := variant{root: root, scalars: map[string]string{}}
	for _, f := range root.fields {
		if f.value.text != "" {
			v.scalars[f.name] = f.value.text
		}
	}
	return v
}
