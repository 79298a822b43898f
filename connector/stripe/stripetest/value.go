package stripetest

import "encoding/json"

// value is a JSON value with holes: what all objects of one variant have in common.
type value struct {
	// One of these is set: the text of a scalar, a slot, the fields of an object or the items of an array.
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
	// guard, where set, is the path that has to be expanded for the property to be there.
	guard string
	// needs, where set, is a relation that has to point to something for the property to be there.
	needs *relation
}

// conditional reports whether the property may be omitted.
func (f field) conditional() bool { return f.guard != "" || f.needs != nil }

// slotKind says what fills a hole.
type slotKind uint8

const (
	slotID slotKind = iota
	slotCreated
	// slotTime is the time of creation plus the slot's delta, in seconds.
	slotTime
	slotLivemode
	slotMetadata
	slotAmount
	slotEmail
	slotName
	slotNumber
	// slotRelation is the id of another object, or the object.
	slotRelation
	// slotSnapshot is another object in full, as it was when it was created.
	slotSnapshot
	slotList
	// slotSettled is "pending" until the time of creation plus delta, and "available" from then on.
	slotSettled
	// slotReconciled is "in_progress" until it is known what a payout paid out, and "completed" from then on.
	slotReconciled
	// slotOwnership is the id of the ownership of a Financial Connections account.
	slotOwnership
	slotEventType
	slotEventVersion
	slotEventObject
	slotEventRequest
)

// slot is a placeholder that is filled for each object.
type slot struct {
	kind     slotKind
	path     string
	delta    int64
	relation *relation
	list     *embedded
	// missing is what stands there when the relation points nowhere.
	missing string
}

func literal(text string) value { return value{text: text} }

func quoted(text string) value {
	// A string can always be encoded.
	encoded, _ := json.Marshal(text)
	return value{text: string(encoded)}
}

func hole(s slot) value { return value{slot: &s} }

// variant is one of the ways in which objects of a kind differ beyond their slots.
type variant struct {
	root value
	// scalars are the top-level properties that lists can be filtered by, as JSON text.
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
