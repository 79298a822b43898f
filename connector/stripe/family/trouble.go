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

// isUp reports whether Stripe currently answers at all, so that an outage isn't to blame for a request that failed. It
// requests a list of objects created in 1970.
func (r *Reader) isUp(ctx context.Context, path string) bool {
	hasCursor := slices.ContainsFunc(r.Table, func(row table.Stream) bool { return row.Path == path && row.Cursor != "" })
	if !hasCursor {
		path = r.Table.Find("events").Path
	}
	_, err := r.Client.List(ctx, path, url.Values{"limit": {"1"}, "created[lt]": {"1"}}, api.Expendable)
	return err == nil || !api.IsBroken(err) && !api.IsUnreachable(err) && ctx.Err() == nil
}

// IsIsolated reports whether err, the failure to read one object of m or the children of one object, concerns only that
// object, which can then be set aside. Other errors concern the stream, the key or the connection to Stripe.
func (r *Reader) IsIsolated(ctx context.Context, m *Member, err error) bool {
	failure, ok := connector.FailureIn(err)
	switch {
	case !ok || ctx.Err() != nil:
		return false
	case api.IsBroken(err):
		return r.isUp(ctx, m.Row.Path)
	case failure.Class == connector.SourceData:
		return true
	case failure.Class == connector.PermissionError:
		return r.canList(ctx, m)
	}
	return false
}

// canList reports whether the key may list m, so that a refusal of one object says nothing about the others.
func (r *Reader) canList(ctx context.Context, m *Member) bool {
	path, query := m.Row.List(table.Place{Parent: noParent, Across: noParent.ID, PageSize: 1})
	if m.Row.Cursor != "" {
		query.Set("created[lt]", "1")
	}
	for name := range m.Row.ParentParams {
		query.Set(name, noParent.ID)
	}
	var err error
	if m.Row.Single {
		_, err = r.Client.Single(ctx, path, query, api.Expendable)
	} else {
		_, err = r.Client.List(ctx, path, query, api.Expendable)
	}
	failure, refused := connector.FailureIn(err)
	return err == nil || refused && (failure.Class == connector.SourceData || api.IsBroken(err))
}

// noParent is a parent object that doesn't exist. Stripe checks permissions before it looks up the parent.
var noParent = rawjson.CutObject(`{"id":"nobody"}`)

// get reads one object. If Stripe fails to serve it, get retries once; if Stripe fails to serve other requests too, get
// retries for as long as for any request.
func (r *Reader) get(ctx context.Context, m *Member, path string, query url.Values) (api.Object, error) {
	object, err := r.Client.Get(ctx, path, query, api.Expendable)
	switch {
	case !api.IsBroken(err):
		return object, err
	case !r.isUp(ctx, m.Row.Path):
		return r.Client.Get(ctx, path, query)
	}
	return r.Client.Get(ctx, path, query, api.Expendable)
}
