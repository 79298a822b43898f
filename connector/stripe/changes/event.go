package changes

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

const eventsPath = "/v1/events"

// Event is an event at Stripe (https://docs.stripe.com/api/events).
type Event struct {
	rawjson.Object
	Kind    string         // its type
	Version string         // the API version of its object; empty if unknown
	About   rawjson.Object // its object
}

// At returns when the event was created.
func (e *Event) At() clock.Second { return clock.Second(e.Created) }

// cause returns the event as the cause of records.
func (e *Event) cause() family.Cause { return family.Cause{EventID: e.ID, EventType: e.Kind} }

// IsCreation reports whether the event says that its object was created.
func (e *Event) IsCreation() bool { return strings.HasSuffix(e.Kind, ".created") }

// parseEvent parses an event. Its ids are copied: sweeps remember them for longer than the page, whose string Raw shares.
func parseEvent(object rawjson.Object) Event {
	e := Event{Object: object}
	e.ID = strings.Clone(e.ID)
	for name, value := range rawjson.Members(object.Raw) {
		switch name {
		case "type":
			e.Kind = rawjson.String(value)
		case "api_version":
			e.Version = rawjson.String(value)
		case "data":
			about, _ := rawjson.Lookup(value, "object")
			e.About = rawjson.CutObject(about)
			e.About.ID = strings.Clone(e.About.ID)
		}
	}
	return e
}

// RefusedError means that changes are unavailable because the key may not read events.
type RefusedError struct{ *connector.Failure }

// Unwrap returns the Failure.
func (e RefusedError) Unwrap() error { return e.Failure }

// listing lists the events of a stretch of time page by page, newest first.
type listing struct {
	reader      *family.Reader
	filter      url.Values
	from, until clock.Second
	// unreadable is called for each second with an event that Stripe can't return. The listing continues without that event.
	unreadable func(context.Context, clock.Second, *connector.Failure) error

	after string       // id of the last event listed; empty at the beginning
	at    clock.Second // when that event was created
	pager *family.Pager
}

// next returns the next page, and reports whether more follow. If api.IsCursorGone(err), the last event listed is no longer
// retained: call restart to list the remaining events.
func (l *listing) next(ctx context.Context) ([]Event, bool, error) {
	query := url.Values{
		"limit":        {strconv.Itoa(l.reader.PageSize)},
		"created[gte]": {strconv.FormatInt(int64(l.from), 10)},
		"created[lt]":  {strconv.FormatInt(int64(l.until), 10)},
	}
	for name, values := range l.filter {
		query[name] = values
	}
	if l.after != "" {
		query.Set("starting_after", l.after)
	}
	if l.pager == nil {
		l.pager = family.NewPager(l.reader.PageSize)
	}
	page, err := l.reader.List(ctx, eventsPath, query, l.pager)
	switch {
	case api.IsBroken(err) && !api.IsUnreachable(err):
		return l.pass(ctx)
	case err != nil:
		return nil, false, err
	}
	return l.arrive(page)
}

// arrive returns the events of a page, and reports whether more follow.
func (l *listing) arrive(page *api.Page) ([]Event, bool, error) {
	events := make([]Event, len(page.Objects))
	for i, object := range page.Objects {
		events[i] = parseEvent(object)
	}
	if !page.HasMore {
		return events, false, nil
	}
	row := l.reader.Table.Find("events")
	if len(events) == 0 || events[len(events)-1].ID == "" {
		return nil, false, family.EndlessList(row, "a page without ids says that more objects follow")
	}
	last := &events[len(events)-1]
	l.after, l.at = last.ID, last.At()
	return events, true, l.pager.Continue(row, l.after)
}

// restart lists the events from the newest again.
func (l *listing) restart() error {
	l.after, l.at = "", 0
	return l.pager.Restart(l.reader.Table.Find("events"))
}

// ReadEvents visits the events of a stretch of time that concern streams, page by page, newest first. It warns about each
// event that Stripe can't return and continues without it. It returns emit.ErrStopped if the Read is asked to stop before
// the end.
func ReadEvents(
	ctx context.Context, reader *family.Reader, streams []*selected.Stream, from, until clock.Second, visit func([]Event) error,
) error {
	l := &listing{reader: reader, filter: filter(reader.Table, streams), from: from, until: until}
	l.unreadable = func(ctx context.Context, second clock.Second, cause *connector.Failure) error {
		return warnUnreadable(ctx, reader.Emitter, second, cause)
	}
	for more := from < until; more; {
		if reader.Emitter.Stopped() {
			return emit.ErrStopped
		}
		events, follows, err := l.next(ctx)
		if api.IsCursorGone(err) && l.after != "" {
			return nil // that event is no longer retained, and neither are those before it
		}
		if err != nil {
			return err
		}
		if err := visit(slices.DeleteFunc(events, Event.isUnusable)); err != nil {
			return err
		}
		more = follows
	}
	return nil
}

// maxNamedTypes is the most types that a request for events can name (https://docs.stripe.com/api/events/list).
const maxNamedTypes = 20

// filter returns parameters that exclude events that concern none of the streams, as far as Stripe supports that. A pattern also
// matches types that this release doesn't know, so patterns aren't expanded to types: only a single pattern that matches all
// types of one kind of object is passed on.
func filter(t table.Table, streams []*selected.Stream) url.Values {
	var wanted []string
	for _, s := range streams {
		if s.Row.AppendOnly() {
			return nil
		}
		wanted = append(wanted, t.Patterns(s.Row)...)
		for _, held := range t.Held(s.Row, s.Expansions) {
			wanted = append(wanted, held.Events...)
		}
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	isPattern := func(kind string) bool { return strings.Contains(kind, "*") }
	if !slices.ContainsFunc(wanted, isPattern) && len(wanted) <= maxNamedTypes {
		return url.Values{"types[]": wanted}
	}
	if len(wanted) == 0 {
		return nil
	}
	kind, _, _ := strings.Cut(wanted[0], ".")
	for _, name := range wanted {
		if word, one := strings.CutPrefix(name, kind+"."); !one || strings.Contains(word, ".") {
			return nil
		}
	}
	return url.Values{"type": {kind + ".*"}}
}

// String describes the event, for panics and tests.
func (e *Event) String() string { return fmt.Sprintf("%s of %s at %s", e.Kind, e.About.ID, e.At()) }
