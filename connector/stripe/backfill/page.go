package backfill

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// pager reads the pages of windows of one endpoint.
type pager struct {
	*family.Pager
	reader *family.Reader
	family *family.Member
}

func newPager(reader *family.Reader, m *family.Member) *pager {
	return &pager{family.NewPager(reader.PageSize), reader, m}
}

// maxSearches is the number of times that the pager searches for a gap, if the gap has closed each time before it is found.
const maxSearches = 3

// page reads the next page of a window. The error is a *gap if Stripe fails to return the next object and the position of
// that object could be determined.
func (p *pager) page(ctx context.Context, w state.Window) (*api.Page, error) {
	row := p.family.Row
	if row.TestOnly && p.reader.Live {
		return nil, table.ErrTestOnly()
	}
	if w.After != "" {
		if err := p.Continue(row, w.After); err != nil {
			return nil, err
		}
	}
	page, err := p.list(ctx, w, p.Pager)
	for tries := 0; tries < maxSearches && api.IsBroken(err) && !api.IsUnreachable(err) && !row.Single; tries++ {
		if row.Cursor == "" || w.Clock != "" || w.After != "" && w.At == 0 {
			page, err = p.readUnfiltered(ctx, w)
			break
		}
		if err := p.findGap(ctx, w, err); err != nil {
			return nil, err
		}
		page, err = p.list(ctx, w, p.Pager)
	}
	switch {
	case w.Clock != "" && api.IsNotFound(err):
		return &api.Page{}, nil // the test clock was deleted together with its objects
	case err != nil:
		return nil, err
	case !page.HasMore:
		return page, nil
	case len(page.Objects) == 0:
		return nil, family.EndlessList(row, "an empty page says that more objects follow")
	}
	switch last := page.Objects[len(page.Objects)-1].ID; last {
	case "":
		return nil, family.EndlessList(row, "a page says that more objects follow, but its last object has no id")
	case w.After:
		return nil, family.EndlessList(row, fmt.Sprintf("the page after %q ends with the same object", last))
	}
	return page, nil
}

// list reads the next page of a window, leaving unexpanded what Stripe refuses to expand.
func (p *pager) list(ctx context.Context, w state.Window, sizes *family.Pager) (*api.Page, error) {
	path, query := p.query(w)
	return p.reader.Fetch(ctx, p.family, table.Place{}, path, query, sizes)
}

func (p *pager) query(w state.Window) (string, url.Values) {
	path, query := p.family.List(table.Place{PageSize: p.reader.PageSize})
	if w.Clock != "" {
		query.Set("test_clock", w.Clock)
	} else if p.family.Row.Cursor != "" {
		query.Set("created[gte]", seconds(w.From))
		query.Set("created[lt]", seconds(w.To))
	}
	if w.After != "" {
		query.Set("starting_after", w.After)
	}
	return path, query
}

func seconds(s clock.Second) string { return strconv.FormatInt(int64(s), 10) }

// readUnfiltered reads the next object of a list without a filter by creation time, where a failing object can't be skipped. It
// retries for as long as for any request. Its error says where the list breaks off.
func (p *pager) readUnfiltered(ctx context.Context, w state.Window) (*api.Page, error) {
	path, query := p.query(w)
	if query.Has("limit") {
		query.Set("limit", "1")
	}
	page, err := p.reader.Client.List(ctx, path, query)
	if !api.IsBroken(err) || api.IsUnreachable(err) {
		return page, err
	}
	failure := *connector.AsFailure(err)
	where := "from its first object"
	if w.After != "" {
		where = fmt.Sprintf("after %q", w.After)
	}
	failure.Message = fmt.Sprintf("Stripe fails to return the list %s %s, and the failing object can't be skipped because the list has no filter by creation time. The objects before it were sent. %s",
		path, where, failure.Message)
	return nil, &failure
}
