package family

import (
	"context"
	"net/url"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// alive reports whether Stripe answers at all at the moment, so that it is not to blame for a request that it could not serve.
// It asks a list for what was created before there were computers.
func (r *Reader) alive(ctx context.Context, path string) bool {
	dated := slices.ContainsFunc(r.Table, func(row table.Stream) bool { return row.Path == path && row.Cursor != "" })
	if !dated {
		path = r.Table.Find("events").Path
	}
	_, err := r.Client.List(ctx, path, url.Values{"limit": {"1"}, "created[lt]": {"1"}}, api.Expendable)
	return err == nil || !api.IsBroken(err) && !api.IsUnreachable(err) && ctx.Err() == nil
}

// IsIsolated reports whether err, of a request for one object of m or for what is below one, concerns that only: it can be set
// aside. Any other error concerns the stream, the key, or the way to Stripe.
func (r *Reader) IsIsolated(ctx context.Context, m *Member, err error) bool {
	failure, ok := connector.FailureIn(err)
	switch {
	case !ok || ctx.Err() != nil:
		return false
	case api.IsBroken(err):
		return r.alive(ctx, m.Row.Path)
	case failure.Class == connector.SourceData:
		return true
	case failure.Class == connector.PermissionError:
		return r.permits(ctx, m)
	}
	return false
}

// permits reports whether the key may list m, so that a refusal of one object says nothing of the others.
func (r *Reader) permits(ctx context.Context, m *Member) bool {
	path, query := m.Row.List(table.Place{Parent: nobody, Across: nobody.ID, PageSize: 1})
	if m.Row.Cursor != "" {
		query.Set("created[lt]", "1")
	}
	for name := range m.Row.ParentParams {
		query.Set(name, nobody.ID)
	}
	_, err := r.Client.List(ctx, path, query, api.Expendable)
	failure, refused := connector.FailureIn(err)
	return err == nil || refused && (failure.Class == connector.SourceData || api.IsBroken(err))
}

// nobody is a parent that does not exist. Stripe looks at permissions before it looks for parents.
var nobody = rawjson.CutObject(`{"id":"nobody"}`)

// get reads one object. If Stripe fails, it is asked for once more; and if it fails for others too, for as long as any request
// is retried.
func (r *Reader) get(ctx context.Context, m *Member, path string, query url.Values) (rawjson.Object, error) {
	object, err := r.Client.Get(ctx, path, query, api.Expendable)
	switch {
	case !api.IsBroken(err):
		return object, err
	case !r.alive(ctx, m.Row.Path):
		return r.Client.Get(ctx, path, query)
	}
	return r.Client.Get(ctx, path, query, api.Expendable)
}
