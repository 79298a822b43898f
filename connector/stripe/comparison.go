package stripe

import (
	"context"
	"hash/maphash"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// comparison compares what a root's list shows of a range with what events told of it, and mends what differs. One
// goroutine at a time works at it.
//
// It holds 24 bytes for each object that was created in the range, or that an event does not date, and what a map needs
// besides; never an object.
type comparison struct {
	run     *run
	root    *stream
	family  *member
	outputs []*output
	window                  // of creation
	covered window          // what was created in it was sent when the lists were read, whatever events tell
	seed    maphash.Seed    // of the hashes
	told    map[uint64]told // by the hash of the id
	until   second          // events before it are applied
	looked  second          // until when younger events were looked for
	counts  connector.Reconciliation
	err     error // why it failed
}

// told is what the events tell of one object.
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
	isYoung                     // an event came after those that were applied: the next sweep tells
	isLink                      // it is another object, whose events tell that the root's objects that name it changed
	isKnown                     // it was listed, or asked for
)

func (t told) is(m marks) bool { return t.marks&m != 0 }

// comparison makes what the family of a root needs to be compared.
func (r *run) comparison(family *member, asked window) *comparison {
	c := &comparison{
		run: r, root: family.stream, family: family, window: asked, seed: maphash.MakeSeed(), told: map[uint64]told{},
		covered: window{To: second(r.now().Unix())},
	}
	c.outputs = family.all()
	c.until = c.covered.To
	for _, out := range c.outputs {
		c.until = min(c.until, out.changes.Until)
		c.covered.From = max(c.covered.From, out.current.From)
		c.covered.To = min(c.covered.To, out.current.To-lateListing)
	}
	c.From = max(c.From, c.covered.From)
	c.looked = c.until
	return c
}

// all gives the outputs of m and of all below it.
func (m *member) all() []*output {
	outputs := slices.Clone(m.outputs)
	for _, child := range m.children {
		outputs = append(outputs, child.all()...)
	}
	return outputs
}

func (c *comparison) hash(id string) uint64 { return maphash.String(c.seed, id) }

// contains tells whether an object was created in the range.
func (c *comparison) contains(object rawjson.Object) bool {
	at := c.root.createdAt(object)
	return object.Type == c.root.Object && object.ID != "" && c.From <= at && at < c.To
}

// note takes in an event, of which newer ones came before it.
func (c *comparison) note(e *event) {
	if _, ok := c.root.Via[e.kind]; ok {
		key := c.hash(e.about.ID)
		if t := c.told[key]; t.at == 0 {
			c.told[key] = told{at: uint32(e.Created), marks: isLink}
		}
		return
	}
	dated := c.contains(e.about)
	undated := c.root.createdAt(e.about) == 0 // some versions call it by another name, and others keep it to themselves
	if !c.root.tells(e.kind) || e.about.Type != c.root.Object || e.about.ID == "" || !dated && !undated {
		return
	}
	key := c.hash(e.about.ID)
	t := c.with(c.told[key], e)
	if dated {
		t.marks |= isDated
	}
	c.told[key] = t
}

// with gives what is told of an object once an older event, or one of the same second, is known too. In one second, a
// creation comes first; between others there is no telling.
func (c *comparison) with(t told, e *event) told {
	at := uint32(e.Created)
	if t.at > at {
		return t
	}
	t.at = at
	creation, deletion := isCreation(e.kind), c.root.deletes(e.kind)
	mark := isChanged
	if creation {
		mark = isMade
	}
	switch {
	case t.is(mark), deletion, e.version != api.Version:
		t.payload = 0
	case !creation || !t.is(isChanged):
		t.payload = c.fingerprint(e.about)
	}
	t.marks |= mark
	if deletion {
		t.marks |= isDeleted
	}
	return t
}

// fingerprint gives that of an object's record.
func (c *comparison) fingerprint(object rawjson.Object) uint64 {
	return fingerprint(c.seed, complete(c.family, object.Raw, place{}))
}

// list compares the list's objects with what events told, and mends what differs, page by page.
func (c *comparison) list(ctx context.Context) error {
	p := &pass{root: c.root, family: c.family}
	s := newSpan(c.window)
	for last := c.From >= c.To; !last; {
		if c.run.stopped() {
			return errEnough
		}
		page, err := c.run.page(ctx, p, s.window)
		if api.IsCursorGone(err) && s.After != "" {
			s.window = s.withoutCursor()
			continue
		}
		if err != nil {
			return err
		}
		var objects []rawjson.Object
		objects, last = s.arrive(c.root, page.Objects, page.HasMore)
		if len(objects) > 0 {
			s.emitted(c.root, objects[len(objects)-1])
		}
		missing, stale := c.differing(objects)
		if err := c.mend(ctx, missing, stale, page); err != nil {
			return err
		}
	}
	return nil
}

// differing gives the objects of a page that no event told of, or that the newest event shows otherwise.
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
		switch at := c.root.createdAt(object); {
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

// link gives what is told of the object that stands for another, in the column Via.
func (c *comparison) link(object rawjson.Object) told {
	for _, param := range c.root.Via {
		value, _ := rawjson.Lookup(object.Raw, param)
		if t, ok := c.told[c.hash(rawjson.String(value))]; ok {
			return t
		}
	}
	return told{}
}

// mend sends what differs as it was listed, unless it changed after what the sweep applied.
func (c *comparison) mend(ctx context.Context, missing, stale []rawjson.Object, page *api.Page) error {
	if len(missing)+len(stale) == 0 {
		return nil
	}
	if err := c.lookAgain(ctx); err != nil {
		return err
	}
	young := func(object rawjson.Object) bool {
		return c.told[c.hash(object.ID)].is(isYoung) || c.link(object).is(isYoung)
	}
	missing, stale = slices.DeleteFunc(missing, young), slices.DeleteFunc(stale, young)
	g := c.gatherer()
	if err := g.gather(ctx, c.family, append(missing, stale...), place{}, page.AsOf); err != nil {
		return err
	}
	c.counts.Missing += int64(len(missing))
	c.counts.Stale += int64(len(stale))
	return c.send(ctx, g.harvest)
}

func (c *comparison) gatherer() *gatherer {
	return &gatherer{run: c.run, outputs: c.outputs, change: true, harvest: newHarvest("")}
}

func (c *comparison) send(ctx context.Context, h *harvest) error {
	err := c.run.emitter.flush(ctx, c.outputs, h)
	if c.run.recordLimit > 0 && c.run.emitter.sent() >= c.run.recordLimit {
		c.run.enough()
	}
	return err
}

// lookAgain notes which objects changed after what the sweep applied.
func (c *comparison) lookAgain(ctx context.Context) error {
	now := second(c.run.now().Unix()) + 1
	err := c.run.events(ctx, c.outputs, max(c.until, c.looked-c.run.overlap), now, func(events []event) error {
		for i := range events {
			key := c.hash(events[i].about.ID)
			t := c.told[key]
			t.marks |= isYoung
			c.told[key] = t
		}
		return nil
	})
	c.looked = now
	return err
}

// suspect tells whether an object should have been listed and was not.
func (t told) suspect() bool { return t.is(isDated) && !t.is(isDeleted|isYoung|isKnown) }

// suspicious tells whether there is any such object.
func (c *comparison) suspicious() bool {
	for _, t := range c.told {
		if t.suspect() {
			return true
		}
	}
	return false
}

// confirm asks for those objects of events that should have been listed, and takes away what is gone: some lists hide some
// objects, such as those of test clocks (https://docs.stripe.com/billing/testing/test-clocks).
func (c *comparison) confirm(ctx context.Context, events []event) error {
	var suspects []rawjson.Object
	for _, e := range events {
		key := c.hash(e.about.ID)
		if t := c.told[key]; t.suspect() {
			t.marks |= isKnown
			c.told[key] = t
			suspects = append(suspects, e.about)
		}
	}
	gone := make([]bool, len(suspects))
	requests, requestsCtx := errgroup.WithContext(ctx)
	requests.SetLimit(max(1, c.run.client.AllWorkers()))
	for i, object := range suspects {
		requests.Go(func() (err error) {
			_, gone[i], err = c.run.object(requestsCtx, c.family, object.ID, nil)
			return err
		})
	}
	if err := requests.Wait(); err != nil {
		return err
	}
	g := c.gatherer()
	for i, object := range suspects {
		if gone[i] {
			c.counts.Extra++
			g.gone(c.family, object, c.run.now())
		}
	}
	return c.send(ctx, g.harvest)
}
