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

// Event is an event of Stripe's (https://docs.stripe.com/api/events).
type Event struct {
	rawjson.Object
	Kind    string         // its type
	Version string         // the API version of what it shows; empty if unknown
	About   rawjson.Object // the object that it shows
}

// At returns when the event was created.
func (e *Event) At() clock.Second { return clock.Second(e.Created) }

// IsCreation reports whether the event says that its object was created.
func (e *Event) IsCreation() bool { return strings.HasSuffix(e.Kind, ".created") }

func parseEvent(object rawjson.Object) Event {
	e := Event{Object: object}
	for name, value := range rawjson.Members(object.Raw) {
		switch name {
		case "type":
			e.Kind = rawjson.String(value)
		case "api_version":
			e.Version = rawjson.String(value)
		case "data":
			about, _ := rawjson.Lookup(value, "object")
			e.About = rawjson.CutObject(about)
		}
	}
	return e
}

// RefusedError is why changes can't be found out: the key may not read events.
type RefusedError struct{ *connector.Failure }

// Unwrap returns the Failure.
func (e RefusedError) Unwrap() error { return e.Failure }

// listing is a list of the events of a stretch of time, page by page, the newest first.
type listing struct {
	reader      *family.Reader
	filter      url.Values
	from, until clock.Second
	after       string // the last event of the page before
}

// next returns the next page, and whether more follow. A cursor that has become too old starts the list again if restart says
// so, and ends it else.
func (l *listing) next(ctx context.Context) ([]rawjson.Object, bool, error) {
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
	page, err := l.reader.Client.List(ctx, eventsPath, query)
	if err != nil {
		return nil, false, err
	}
	if !page.HasMore {
		return page.Objects, false, nil
	}
	if len(page.Objects) == 0 {
		return nil, false, family.Nonsense(l.reader.Table.Find("events"), "a page of events is empty and says that more follow")
	}
	l.after = page.Objects[len(page.Objects)-1].ID
	return page.Objects, true, nil
}

// ReadEvents visits the events of a stretch of time that concern streams, page by page, the newest first. It returns
// emit.ErrStopped if the Read is to stop before the end.
func ReadEvents(
	ctx context.Context, reader *family.Reader, streams []*selected.Stream, from, until clock.Second, visit func([]Event) error,
) error {
	l := &listing{reader: reader, filter: filter(reader.Table, streams), from: from, until: until}
	var events []Event
	for more := from < until; more; {
		if reader.Emitter.Stopped() {
			return emit.ErrStopped
		}
		objects, follows, err := l.next(ctx)
		if api.IsCursorGone(err) && l.after != "" {
			return nil // that event has become too old meanwhile, and with it all that follow
		}
		if err != nil {
			return err
		}
		events = events[:0]
		for _, object := range objects {
			events = append(events, parseEvent(object))
		}
		if err := visit(events); err != nil {
			return err
		}
		more = follows
	}
	return nil
}

// maxNamedTypes is how many types the list of events can be asked for by name (https://docs.stripe.com/api/events/list).
const maxNamedTypes = 20

// filter returns the parameters that leave out events which concern none of the streams, if those are of few types.
func filter(t table.Table, streams []*selected.Stream) url.Values {
	var wanted []string
	known := table.EventTypes()
	for _, s := range streams {
		for _, kind := range s.Row.Events {
			if !strings.Contains(kind, "*") && !slices.Contains(known, kind) {
				return nil // not of the version whose names are known
			}
		}
	}
	for _, kind := range known {
		if slices.ContainsFunc(streams, func(s *selected.Stream) bool { return t.Concerns(s.Row, kind) }) {
			wanted = append(wanted, kind)
		}
	}
	switch {
	case len(wanted) > maxNamedTypes, slices.ContainsFunc(streams, func(s *selected.Stream) bool { return s.Row.AppendOnly() }):
		return nil
	}
	return url.Values{"types[]": wanted}
}

// String names the event in a panic or a test.
func (e *Event) String() string { return fmt.Sprintf("%s of %s at %s", e.Kind, e.About.ID, e.At()) }
