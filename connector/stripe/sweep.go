package stripe

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

const eventsPath = "/v1/events"

// A stretch of events is held in memory, so that of the events of one object only the newest counts. One that is longer,
// by estimate or in fact, is cut into parts, the oldest first; a second cannot be.
const (
	fairPages = 8
	mostPages = 20
	mostParts = 4 // at once: the newest events may be denser than the others
)

// mostNamedTypes is how many types the list of events can be asked for by name (https://docs.stripe.com/api/events/list).
const mostNamedTypes = 20

// sweep is one pass over the events for all streams that they tell of: from where the one furthest behind left off, until
// a moment that lies the settling lag back.
//
// It works its way from the oldest events to the newest, stretch by stretch, with a state after each. Events that became
// visible late, in what an earlier sweep had looked at, are found again since each sweep begins some way before the end of
// the last one, and remembers what it saw there.
type sweep struct {
	run      *run
	outputs  []*output
	families []*member
	filter   url.Values
	now      second
	until    second
	targets  map[targetsKey][]target // what events of a type concern
	telling  map[readingOf][]moment  // the events of the overlap that concern a list
	listed   map[readingOf]second    // when lists were read in this sweep
	begun    bool
}

// event is what a sweep needs of one.
type event struct {
	rawjson.Object
	kind    string // its type
	version string
	about   rawjson.Object // the object that it shows
	hash    string
}

// sweepNow sweeps the events of the outputs. It ends early when a limit of the request is reached: with errEnough, after a
// stretch at least.
func (r *run) sweepNow(ctx context.Context, outputs []*output) error {
	s := &sweep{
		run: r, outputs: outputs,
		now:     second(r.now().Unix()),
		targets: map[targetsKey][]target{},
		telling: map[readingOf][]moment{},
		listed:  map[readingOf]second{},
	}
	s.until = s.now - r.settling
	from := s.until
	for _, out := range outputs {
		from = min(from, out.changes.From)
	}
	if from == s.until {
		return nil // not even the overlap is old enough
	}
	s.families = r.streams.families(outputs)
	s.filter = r.streams.filter(outputs)
	return s.stretch(ctx, from, s.until)
}

// stretch applies the events of a stretch of time.
func (s *sweep) stretch(ctx context.Context, from, until second) error {
	if s.begun && s.run.stopped() {
		return errEnough
	}
	events, parts, err := s.list(ctx, from, until)
	if err != nil {
		return err
	}
	if parts > 1 {
		step := max((until-from)/second(parts), 1)
		for at := from; at < until; at += step {
			if err := s.stretch(ctx, at, min(at+step, until)); err != nil {
				return err
			}
		}
		return nil
	}
	s.begun = true
	if err := s.apply(ctx, events); err != nil {
		return err
	}
	s.await()
	if s.run.recordLimit > 0 && s.run.emitter.sent() >= s.run.recordLimit {
		s.run.enough()
	}
	return s.run.emitter.changed(ctx, s.outputs, until == s.until, func(out *output) { out.advance(until, s.run.overlap) })
}

// list gives the events of a stretch of time, the newest first, or into how many parts it is to be cut.
func (s *sweep) list(ctx context.Context, from, until second) ([]event, int, error) {
	var events []event
	after := ""
	for pages := 1; ; pages++ {
		page, err := s.run.client.List(ctx, eventsPath, s.query(from, until, after))
		if api.IsCursorGone(err) && after != "" {
			events, after = nil, "" // that event has become too old meanwhile
			continue
		}
		if failure, ok := asFailure(err); ok && failure.Class == connector.PermissionError {
			return nil, 0, eventsRefused{failure}
		}
		if err != nil {
			return nil, 0, err
		}
		for _, object := range page.Objects {
			events = append(events, parseEvent(object))
		}
		if !page.HasMore {
			return events, 1, nil
		}
		if len(page.Objects) == 0 {
			return nil, 0, strange(s.run.streams.find("events"), "a page of events is empty and says that more follow")
		}
		after = page.Objects[len(page.Objects)-1].ID
		if parts := parts(events, pages, from, until); parts > 1 {
			return nil, parts, nil
		}
	}
}

// parts tells into how many parts a stretch is to be cut, by the density of its newest events; 1 if it is short enough.
func parts(newest []event, pages int, from, until second) int {
	rest := second(newest[len(newest)-1].Created) - from
	covered := max(until-from-rest, 1)
	estimate := float64(pages) * float64(until-from) / float64(covered)
	if until-from < 2 || pages < 2 || estimate <= mostPages && pages < mostPages {
		return 1
	}
	return int(min(max(estimate/fairPages, 2), mostParts, float64(until-from)))
}

func (s *sweep) query(from, until second, after string) url.Values {
	query := url.Values{
		"limit":        {strconv.Itoa(s.run.pageSize)},
		"created[gte]": {strconv.FormatInt(int64(from), 10)},
		"created[lt]":  {strconv.FormatInt(int64(until), 10)},
	}
	for name, values := range s.filter {
		query[name] = values
	}
	if after != "" {
		query.Set("starting_after", after)
	}
	return query
}

func parseEvent(object rawjson.Object) event {
	e := event{Object: object, hash: hashID(object.ID)}
	for name, value := range rawjson.Members(object.Raw) {
		switch name {
		case "type":
			e.kind = rawjson.String(value)
		case "api_version":
			e.version = rawjson.String(value)
		case "data":
			about, _ := rawjson.Lookup(value, "object")
			e.about = rawjson.CutObject(about)
		}
	}
	return e
}

// filter gives the parameters that leave out events which concern none of the outputs, if those are of few types.
func (t table) filter(outputs []*output) url.Values {
	var wanted []string
	known := eventTypes()
	for _, out := range outputs {
		for _, kind := range out.stream.Events {
			if !strings.Contains(kind, "*") && !slices.Contains(known, kind) {
				return nil // not of the version whose names are known
			}
		}
	}
	for _, kind := range known {
		if slices.ContainsFunc(outputs, func(out *output) bool { return t.concerns(out.stream, kind) }) {
			wanted = append(wanted, kind)
		}
	}
	switch {
	case len(wanted) > mostNamedTypes, slices.ContainsFunc(outputs, func(out *output) bool { return out.stream.appendOnly() }):
		return nil
	}
	return url.Values{"types[]": wanted}
}

// concerns tells whether events of a type may concern a stream, be it through its parent.
func (t table) concerns(s *stream, kind string) bool {
	_, via := s.Via[kind]
	if via || s.tells(kind) {
		return true
	}
	parent := t.find(s.Parent)
	return parent != nil && (s.follows() && parent.tells(kind) || parent.deletes(kind))
}

// families groups outputs by the endpoints that they live on.
func (t table) families(outputs []*output) []*member {
	var roots []*stream
	for _, out := range outputs {
		if root := t.root(out.stream); !slices.Contains(roots, root) && !root.appendOnly() {
			roots = append(roots, root)
		}
	}
	families := make([]*member, len(roots))
	for i, root := range roots {
		families[i] = t.family(root, nil, outputs)
	}
	return families
}

// eventsRefused is why changes cannot be found out: the key may not read events.
type eventsRefused struct{ *connector.Failure }

// Unwrap gives the Failure.
func (e eventsRefused) Unwrap() error { return e.Failure }
