package reconcile

import (
	"hash/maphash"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// comparison compares a root's list of a range with what events say about it, and repairs the differences. It must not be used
// concurrently.
//
// It keeps 24 bytes, plus the overhead of a map, for each object that was created in the range or whose events don't say when.
// It keeps no objects.
type comparison struct {
	reader       *family.Reader
	overlap      clock.Second
	root         *table.Stream
	family       *family.Member
	apiVersion   string // in which objects are read
	streams      []*selected.Stream
	state.Window                     // of creation times
	covered      state.Window        // objects created in it were sent when the lists were read, whatever events say
	seed         maphash.Seed        // for the hashes
	evidence     map[uint64]evidence // by the hash of the id
	until        clock.Second        // events before it are applied
	looked       clock.Second        // the end of the time in which younger events were looked for
	unread       []selected.Attempt  // seconds with something that cannot be listed
	counts       connector.Reconciliation
	err          error // why the comparison failed
}

// evidence is what the events say about one object.
type evidence struct {
	payload uint64 // fingerprint of the newest event's object; 0 if there is none or it can't be compared
	at      uint32 // the second of the newest event; 0 if there is none
	marks   marks
}

// marks are what else is known about an object.
type marks uint8

const (
	isCreated marks = 1 << iota // the events of the newest second include its creation
	isChanged                   // they include another event
	isDeleted                   // one of them says that it was deleted
	isDated                     // an event shows that it was created in the range
	isYoung                     // it has an event that was not applied yet, so the next sweep handles it
	isLink                      // it is another object whose events announce changes of root objects that refer to it
	isKnown                     // it was listed or requested
)

func (t evidence) has(m marks) bool { return t.marks&m != 0 }

// newComparison returns a comparison for a family.
func newComparison(reader *family.Reader, f *family.Member, o Options) *comparison {
	c := &comparison{
		reader: reader, apiVersion: o.APIVersion, overlap: o.Overlap, root: f.Row, family: f, streams: f.All(), Window: o.Range,
		seed: maphash.MakeSeed(), evidence: map[uint64]evidence{}, covered: state.Window{To: clock.Of(reader.Now())},
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

// note records an event. Newer events must be recorded before older ones.
func (c *comparison) note(e *changes.Event) {
	if _, ok := c.root.Via[e.Kind]; ok {
		key := c.hash(e.About.ID)
		if t := c.evidence[key]; t.at == 0 {
			c.evidence[key] = evidence{at: uint32(e.Created), marks: isLink}
		}
		return
	}
	dated := c.contains(e.About)
	undated := c.root.CreatedAt(e.About) == 0 // some API versions name it differently, and some objects have none
	if !c.root.Announces(e.Kind) || e.About.Type != c.root.Object || e.About.ID == "" || !dated && !undated {
		return
	}
	key := c.hash(e.About.ID)
	t := c.with(c.evidence[key], e)
	if dated {
		t.marks |= isDated
	}
	c.evidence[key] = t
}

// with returns t with an event that is older than those before or of the same second. Within a second, a creation comes first;
// the order of other events is unknown.
func (c *comparison) with(t evidence, e *changes.Event) evidence {
	at := uint32(e.Created)
	if t.at > at {
		return t
	}
	t.at = at
	creation, deletion := e.IsCreation(), c.root.AnnouncesDeletion(e.Kind)
	mark := isChanged
	if creation {
		mark = isCreated
	}
	switch {
	case t.has(mark), deletion, e.Version != c.apiVersion:
		t.payload = 0
	case !creation || !t.has(isChanged):
		t.payload = c.fingerprint(e.About)
	}
	t.marks |= mark
	if deletion {
		t.marks |= isDeleted
	}
	return t
}

// fingerprint returns the fingerprint of an object's record.
func (c *comparison) fingerprint(object rawjson.Object) uint64 {
	return fingerprint(c.seed, c.family.Plain(object.Raw))
}

// differing returns the objects of a page that no event announced, and those that differ from their newest event.
func (c *comparison) differing(objects []rawjson.Object) (missing, stale []rawjson.Object) {
	for _, object := range objects {
		key := c.hash(object.ID)
		t := c.evidence[key]
		if !c.contains(object) || t.has(isKnown) {
			continue
		}
		t.marks |= isKnown
		c.evidence[key] = t
		c.counts.Listed++
		switch at := c.root.CreatedAt(object); {
		case t.has(isDeleted) && t.has(isCreated): // within one second, so it may have been created again
		case t.has(isDeleted):
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

// link returns the evidence about the object that the column Via says to look up instead.
func (c *comparison) link(object rawjson.Object) evidence {
	for _, param := range c.root.Via {
		value, _ := rawjson.Lookup(object.Raw, param)
		if t, ok := c.evidence[c.hash(rawjson.String(value))]; ok {
			return t
		}
	}
	return evidence{}
}
