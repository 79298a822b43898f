package reconcile

import (
	"hash/maphash"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// comparison compares what a root's list shows of a range with what events say about it, and repairs what differs. One
// goroutine at a time uses it.
//
// It holds 24 bytes for each object that was created in the range, or that an event does not date, and what a map needs
// besides; never an object.
type comparison struct {
	reader       *family.Reader
	overlap      clock.Second
	root         *table.Stream
	family       *family.Member
	streams      []*selected.Stream
	state.Window                    // of creation
	covered      state.Window       // what was created in it was sent when the lists were read, whatever events say
	seed         maphash.Seed       // of the hashes
	told         map[uint64]told    // by the hash of the id
	until        clock.Second       // events before it are applied
	looked       clock.Second       // until when younger events were looked for
	unread       []selected.Attempt // seconds with something that cannot be listed
	counts       connector.Reconciliation
	err          error // why it failed
}

// told is what the events say about one object.
type told struct {
	payload uint64 // fingerprint of the newest event's object; 0 if there is none, or it cannot be compared
	at      uint32 // the second of the newest event; 0 if there is none
	marks   marks
}

// marks are what else is known of an object.
type marks uint8

const (
	isMade    marks = 1 << iota // of the newest second is its creation,
	isChanged                   // some other event,
	isDeleted                   // and one that says that it is gone
	isDated                     // an event shows that it was created in the range
	isYoung                     // an event came after those that were applied: it is left to the next sweep
	isLink                      // it is another object, whose events announce changes of the root's objects that name it
	isKnown                     // it was listed, or asked for
)

func (t told) is(m marks) bool { return t.marks&m != 0 }

// newComparison returns the comparison of a family.
func newComparison(reader *family.Reader, f *family.Member, o Options) *comparison {
	c := &comparison{
		reader: reader, overlap: o.Overlap, root: f.Row, family: f, streams: f.All(), Window: o.Range,
		seed: maphash.MakeSeed(), told: map[uint64]told{}, covered: state.Window{To: clock.Of(reader.Now())},
	}
	c.until = c.covered.To
	for _, s := range c.streams {
		c.until = min(c.until, s.Changes.Until())
		c.covered.From = max(c.covered.From, s.Current.From)
		c.covered.To = min(c.covered.To, s.Current.To-table.LateListing)
	}
	c.From = max(c.From, c.covered.From)
	c.looked = c.until
	return c
}

func (c *comparison) hash(id string) uint64 { return maphash.String(c.seed, id) }

// contains reports whether an object was created in the range.
func (c *comparison) contains(object rawjson.Object) bool {
	at := c.root.CreatedAt(object)
	return object.Type == c.root.Object && object.ID != "" && c.From <= at && at < c.To
}

// note takes in an event. Newer ones come before older ones.
func (c *comparison) note(e *changes.Event) {
	if _, ok := c.root.Via[e.Kind]; ok {
		key := c.hash(e.About.ID)
		if t := c.told[key]; t.at == 0 {
			c.told[key] = told{at: uint32(e.Created), marks: isLink}
		}
		return
	}
	dated := c.contains(e.About)
	undated := c.root.CreatedAt(e.About) == 0 // some versions call it by another name, and others keep it to themselves
	if !c.root.Announces(e.Kind) || e.About.Type != c.root.Object || e.About.ID == "" || !dated && !undated {
		return
	}
	key := c.hash(e.About.ID)
	t := c.with(c.told[key], e)
	if dated {
		t.marks |= isDated
	}
	c.told[key] = t
}

// with returns what is told of an object once an older event, or one of the same second, is known too. Within a second a
// creation comes first; the order of others is unknown.
func (c *comparison) with(t told, e *changes.Event) told {
	at := uint32(e.Created)
	if t.at > at {
		return t
	}
	t.at = at
	creation, deletion := e.IsCreation(), c.root.AnnouncesDeletion(e.Kind)
	mark := isChanged
	if creation {
		mark = isMade
	}
	switch {
	case t.is(mark), deletion, e.Version != api.Version:
		t.payload = 0
	case !creation || !t.is(isChanged):
		t.payload = c.fingerprint(e.About)
	}
	t.marks |= mark
	if deletion {
		t.marks |= isDeleted
	}
	return t
}

// fingerprint returns that of an object's record.
func (c *comparison) fingerprint(object rawjson.Object) uint64 {
	return fingerprint(c.seed, c.family.Plain(object.Raw))
}

// differing returns the objects of a page that no event announced, or that the newest event shows otherwise.
func (c *comparison) differing(objects []rawjson.Object) (missing, stale []rawjson.Object) {
	for _, object := range objects {
		key := c.hash(object.ID)
		t := c.told[key]
		if !c.contains(object) || t.is(isKnown) {
			continue
		}
		t.marks |= isKnown
		c.told[key] = t
		c.counts.Listed++
		switch at := c.root.CreatedAt(object); {
		case t.is(isDeleted) && t.is(isMade): // in one second: it may have been made again
		case t.is(isDeleted):
			missing = append(missing, object)
		case t.at == 0:
			sent := c.covered.From <= at && at < c.covered.To || c.link(object).at >= uint32(at)
			if !sent {
				missing = append(missing, object)
			}
		case t.payload != 0 && t.payload != c.fingerprint(object):
			stale = append(stale, object)
		}
	}
	return missing, stale
}

// link returns what is told of the object that stands for another, in the column Via.
func (c *comparison) link(object rawjson.Object) told {
	for _, param := range c.root.Via {
		value, _ := rawjson.Lookup(object.Raw, param)
		if t, ok := c.told[c.hash(rawjson.String(value))]; ok {
			return t
		}
	}
	return told{}
}
