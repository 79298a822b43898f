package stripetest

// stride is the number of ordinals reserved for the children of each parent: the k-th child of parent p has the ordinal
// p*stride + k, so parent and child can find each other without a table.
const stride = 64

// kind describes the objects of one store. Most object types have one kind. Cards have two: those of customers and those of
// accounts.
type kind struct {
	// name identifies the kind. It is the object type unless object is set.
	name, object string
	// prefix and idLength determine the form of the ids. ids, if set, lists every id.
	prefix   string
	idLength int
	ids      []string
	// chosen means that users may choose the id, so some ids contain spaces and slashes.
	chosen bool

	// n is the number of objects at scale 1, if the kind has no parent.
	n int
	// parent is the kind that every object of this kind belongs to. parentField is the property holding its id, if any.
	parent, parentField string
	// few is the usual range for the number of children per parent; many is the occasional maximum.
	few  [2]int
	many int
	// timeless kinds do not show a creation time.
	timeless bool
	// sole kinds have a single object per account or parent.
	sole bool

	// relations are the properties that hold ids of other objects and must be consistent.
	relations []relation
	// lists are the embedded lists, by property.
	lists map[string]embedded
	// events are the event types for a creation, an update and a deletion; "" if Stripe has none.
	events events
	// eventsSince is the first version of the account in which Stripe emits these events; "" means all.
	eventsSince string
	// through is a relation to another object, which changes with this one and whose events (the types in throughEvents) announce
	// changes of this one.
	through       string
	throughEvents events
	// deletable objects can be deleted for good.
	deletable bool
	// released is the relation shown as null in the deletion event: such objects are only detached.
	released string
	// hidden kinds cannot be read. They serve only as parents.
	hidden bool
}

// events names the event types of a kind. See https://docs.stripe.com/api/events/types.
type events struct{ created, updated, deleted string }

// embedded describes the list that a property embeds.
type embedded struct {
	// kinds are the kinds in the list.
	kinds []string
	// by is the relation of the listed kind that points back, or "^" for its parent.
	by string
	// url is the list's url, with %s for the escaped id of the embedding object.
	url string
	// form is the form of the property: a list, a single object or null, or an array of ids that expansion turns into objects.
	form form
}

type form int

const (
	asList form = iota
	asObject
	asArray
)

// relation is a property that holds the id of another object, or the object itself if expanded.
type relation struct {
	field string
	// kinds are the kinds that it may point to.
	kinds []string
	// odds is the percentage of objects for which it is set.
	odds int
	// via names another relation of the same object, through which this one is resolved: a charge's customer is the
	// customer of its payment intent. take is the relation to follow there, by default the one with the same name.
	via, take string
	// newest, if set, is a relation of the other kind that points back. This relation is the newest object pointing back.
	newest string
	// always means that if the parent has no children to choose from, another parent's child is used rather than none.
	always bool
	// given means that an object created at run time has the relation only if the caller sets it.
	given bool
	salt  uint64
}

// empty reports whether the relation never points to anything.
func (r *relation) empty() bool { return r.odds == 0 && r.via == "" && r.newest == "" }

// isTied reports whether the objects have no events of their own, so a change of one is a change of its parent.
func (k *kind) isTied() bool { return k.parent != "" && k.events.updated == "" }

// relation returns the relation of a property, or nil.
func (k *kind) relation(field string) *relation {
	for i := range k.relations {
		if k.relations[i].field == field {
			return &k.relations[i]
		}
	}
	return nil
}

func to(field string, odds int, kinds ...string) relation {
	return relation{field: field, kinds: kinds, odds: odds}
}

// via returns a relation that follows another one. If that one is not set, a target is picked with the given odds.
func via(field, through string, odds int, kinds ...string) relation {
	return relation{field: field, via: through, take: field, odds: odds, kinds: kinds}
}

func newest(field, kind, back string) relation {
	return relation{field: field, kinds: []string{kind}, newest: back}
}

func list(by, url string, kinds ...string) embedded { return embedded{kinds: kinds, by: by, url: url} }

// one returns an embedded object: the newest child of a kind.
func one(kind string) embedded { return embedded{kinds: []string{kind}, by: "^", form: asObject} }

// ids returns an array of the ids of all children of a kind.
func ids(kind string) embedded { return embedded{kinds: []string{kind}, by: "^", form: asArray} }
