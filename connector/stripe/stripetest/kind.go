package stripetest

// stride is the number of ordinals that each parent reserves for its children: the k-th child of parent p has the ordinal
// p*stride + k, so that parent and child find each other without a table.
const stride = 64

// kind describes the objects of one store. Most kinds are the only one of their object type; cards are two kinds, those of
// customers and those of accounts.
type kind struct {
	// name identifies the kind. It is the object type unless object says otherwise.
	name, object string
	// prefix and idLength shape the ids; ids, where set, are all the ids there are.
	prefix   string
	idLength int
	ids      []string
	// chosen says that users may choose the id, so that some have spaces and slashes.
	chosen bool

	// n is how many objects the small world has, where the kind has no parent.
	n int
	// parent is the kind that every object of this kind belongs to, and parentField the property that holds its id, if any.
	parent, parentField string
	// few and many are how many children a parent has, from few[0] to few[1] mostly and up to many sometimes.
	few  [2]int
	many int
	// timeless kinds have no time of creation that is shown.
	timeless bool
	// sole kinds have one object, in an account or below a parent.
	sole bool

	// relations are the properties that hold ids of other objects and that must fit together.
	relations []relation
	// lists are the embedded lists, by property.
	lists map[string]embedded
	// events are the types of the events that a creation, an update and a deletion cause; "" where there is none.
	events events
	// through is a relation to an object whose own events, named by told, announce changes of this one, and that changes with
	// it.
	through string
	told    events
	// deletable objects can be deleted for good.
	deletable bool
	// released is the relation that the event of a deletion shows as null: such objects are only detached.
	released string
	// hidden kinds cannot be read themselves: they are parents only.
	hidden bool
}

// events names the event types of a kind. See https://docs.stripe.com/api/events/types.
type events struct{ created, updated, deleted string }

// embedded says which list a property embeds.
type embedded struct {
	// kinds are what the list holds.
	kinds []string
	// by is the relation of the listed kind that points back, or "^" for its parent.
	by string
	// url is the list's url, with %s for the escaped id of the object that embeds it.
	url string
	// form is how the property looks: a list, the object itself or null, or an array of ids, which expansion turns into objects.
	form form
}

type form int

const (
	asList form = iota
	asObject
	asArray
)

// relation is a property that holds the id of another object, or the object itself when it is expanded.
type relation struct {
	field string
	// kinds are what it may point to.
	kinds []string
	// odds is how often it is set, in percent.
	odds int
	// via names another relation of the same object: what that one points to says what this one is. A charge's customer is
	// the customer of its payment intent. take is the relation followed there, by default the one of the same name.
	via, take string
	// newest, where set, is a relation of the other kind that points back: the newest such object is meant.
	newest string
	// always means that an object of somebody else is better than none, where a parent has no children to choose from.
	always bool
	// given relations of objects that are created at run time are set only if the caller names them.
	given bool
	salt  uint64
}

// empty relations never point to anything.
func (r *relation) empty() bool { return r.odds == 0 && r.via == "" && r.newest == "" }

// tied children have no events of their own: a change of them is a change of their parent.
func (k *kind) tied() bool { return k.parent != "" && k.events.updated == "" }

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

// via makes a relation that follows another one, and is picked freely with the given odds where that one is not set.
func via(field, through string, odds int, kinds ...string) relation {
	return relation{field: field, via: through, take: field, odds: odds, kinds: kinds}
}

func newest(field, kind, back string) relation {
	return relation{field: field, kinds: []string{kind}, newest: back}
}

func list(by, url string, kinds ...string) embedded { return embedded{kinds: kinds, by: by, url: url} }

// one is an embedded object, the newest child of a kind.
func one(kind string) embedded { return embedded{kinds: []string{kind}, by: "^", form: asObject} }

// ids is an array of the ids of all children of a kind.
func ids(kind string) embedded { return embedded{kinds: []string{kind}, by: "^", form: asArray} }
