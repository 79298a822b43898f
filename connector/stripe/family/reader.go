package family

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Reader provides what every step of a Read needs to request objects from Stripe and send them as records. One Reader
// serves a whole Read and is safe for concurrent use.
type Reader struct {
	Client   *api.Client
	Emitter  *emit.Emitter
	Table    table.Table
	PageSize int // maximum number of objects per page
	Live     bool
	Now      func() time.Time

	across struct {
		sync.Mutex
		ids map[string][]string // by stream name
	}
}

// Page returns a Gatherer for a page of streams that covers a range of creation times.
func (r *Reader) Page(streams []*selected.Stream, from, to clock.Second) *Gatherer {
	return &Gatherer{reader: r, streams: streams, from: from, to: to, harvest: NewHarvest(Cause{}, nil)}
}

// Change returns a Gatherer for changed objects: it gathers only children that follow their parent, and these replace the
// children sent before. See NewHarvest for cause and wanted.
func (r *Reader) Change(streams []*selected.Stream, cause Cause, wanted func(*selected.Stream) bool) *Gatherer {
	return &Gatherer{reader: r, streams: streams, change: true, harvest: NewHarvest(cause, wanted)}
}

// Object reads one object of m, or reports that it is gone.
func (r *Reader) Object(ctx context.Context, m *Member, id string, query url.Values) (object api.Object, gone bool, err error) {
	object, err = r.get(ctx, m, m.Row.Retrieve(table.Place{}, id), query)
	if api.IsNotFound(err) {
		return object, true, nil
	}
	deleted, _ := rawjson.Lookup(object.Raw, "deleted")
	return object, err == nil && deleted == "true", err
}

// acrossIDs returns the ids of all objects of the named stream, which another stream needs for its requests. For an empty
// name it returns a single empty id.
func (r *Reader) acrossIDs(ctx context.Context, name string) ([]string, error) {
	if name == "" {
		return []string{""}, nil
	}
	return r.IDs(ctx, name)
}

// IDs returns the ids of all objects of a stream. They are read once per Read.
func (r *Reader) IDs(ctx context.Context, name string) ([]string, error) {
	r.across.Lock()
	defer r.across.Unlock()
	if ids, ok := r.across.ids[name]; ok {
		return ids, nil
	}
	ids := []string{}
	row, pager := r.Table.Find(name), NewPager(r.PageSize)
	path, query := row.List(table.Place{PageSize: r.PageSize})
	for more := true; more; {
		page, err := r.List(ctx, path, query, pager)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Objects {
			ids = append(ids, strings.Clone(object.ID)) // a substring would keep the whole page in memory
		}
		if more = page.HasMore && len(page.Objects) > 0; more {
			query.Set("starting_after", ids[len(ids)-1])
			if err := pager.Continue(row, ids[len(ids)-1]); err != nil {
				return nil, err
			}
		}
	}
	if r.across.ids == nil {
		r.across.ids = map[string][]string{}
	}
	r.across.ids[name] = ids
	return ids, nil
}
