package family

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Pager chooses the page size for a list, smaller if Stripe fails to serve a larger page, and detects lists that don't end.
// Use NewPager to create one.
type Pager struct {
	maxSize, size int
	ahead         int // one of this many following objects can't be served; 0 if none is known
	restarts      int // consecutive restarts without a cursor

	mark            string // a cursor that was used before
	since, nextMark int
}

// NewPager returns a Pager for a list with at most maxSize objects per page.
func NewPager(maxSize int) *Pager { return &Pager{maxSize: maxSize, size: maxSize} }

// shrink records that a page couldn't be served, and halves the next one.
func (p *Pager) shrink() {
	p.ahead = p.size
	p.size /= 2
}

// served records that a page of n objects was served. Pages stay small until the object that can't be served has been
// passed, and then grow again.
func (p *Pager) served(n int) {
	if p.ahead = max(p.ahead-n, 0); p.ahead > 0 {
		p.size = max(p.ahead/2, 1)
		return
	}
	p.size = min(2*p.size, p.maxSize)
}

// maxRestarts is how often in a row a list may be restarted because the object of its cursor was just deleted.
const maxRestarts = 20

// Restart records that a list is resumed without its cursor, which Stripe no longer accepts. It returns an error if this
// has happened too often in a row.
func (p *Pager) Restart(row *table.Stream) error {
	if p.restarts++; p.restarts > maxRestarts {
		return EndlessList(row, "Stripe keeps rejecting its own cursors")
	}
	p.mark, p.since, p.nextMark = "", 0, 0
	return nil
}

// Continue records that the list continues after the object id. It returns an error if it has done so before, which means
// that the list doesn't end. It remembers one earlier cursor, replaced at growing intervals (Brent's algorithm).
func (p *Pager) Continue(row *table.Stream, id string) error {
	if id == p.mark {
		return EndlessList(row, fmt.Sprintf("the list keeps returning to %q", id))
	}
	if p.since++; p.since > p.nextMark {
		p.mark, p.since, p.nextMark = id, 0, 2*p.nextMark+1
	}
	return nil
}

// List reads the page after the cursor in the query, or a smaller one if Stripe fails to serve it. If api.IsBroken(err),
// Stripe failed repeatedly to serve even the smallest page, although it served other requests. Only the first and the last
// page of that search are retried, which bounds the time that it takes without a checkpoint.
func (r *Reader) List(ctx context.Context, path string, query url.Values, p *Pager) (*api.Page, error) {
	for isRetry := false; ; {
		if query.Has("limit") {
			query.Set("limit", strconv.Itoa(p.size))
		}
		smallest, patience := p.size == 1 || !query.Has("limit"), api.Probing
		if p.size == p.maxSize || isRetry {
			patience = api.Shrinkable
		}
		page, err := r.Client.List(ctx, path, query, patience)
		switch {
		case err == nil:
			p.served(len(page.Objects))
			trim(page)
			if query.Has("starting_after") {
				p.restarts = 0
			}
			return page, nil
		case !api.IsBroken(err) || isRetry && smallest:
			return nil, err
		case (p.size == p.maxSize || smallest) && !r.isUp(ctx, path):
			return r.Client.List(ctx, path, query) // retried like any other request
		case smallest:
			isRetry = true
		default:
			p.shrink()
		}
	}
}

// trim removes the objects without an id from the end of a page that others follow. The list continues after the last object
// that has an id, so the next page has them again.
func trim(page *api.Page) {
	for n := len(page.Objects); page.HasMore && n > 0; n-- {
		if page.Objects[n-1].ID != "" {
			page.Objects = page.Objects[:n]
			return
		}
	}
}

// Fetch reads a page of m like List, but drops expansions that Stripe refuses. An endpoint with a single object yields a
// page with what that object contains.
func (r *Reader) Fetch(ctx context.Context, m *Member, at table.Place, path string, query url.Values, p *Pager) (*api.Page, error) {
	page, err := r.fetch(ctx, m.Row, at, path, query, p)
	again, refusal := r.Unexpand(ctx, m, path, query, err)
	switch {
	case refusal != nil:
		return nil, refusal
	case again:
		query.Del("expand[]")
		m.expand(query, m.prefix())
		return r.fetch(ctx, m.Row, at, path, query, p)
	}
	return page, err
}

func (r *Reader) fetch(ctx context.Context, row *table.Stream, at table.Place, path string, query url.Values, p *Pager) (*api.Page, error) {
	if !row.Single {
		return r.List(ctx, path, query, p)
	}
	page, err := r.Client.Single(ctx, path, query)
	if err != nil {
		return nil, err
	}
	page.Objects = row.Found(page.Objects[0].Raw, at.Parent)
	return page, nil
}

// EndlessList returns the failure of a list that doesn't end.
func EndlessList(row *table.Stream, what string) error {
	return &connector.Failure{
		Class:    connector.SourceData,
		Message:  fmt.Sprintf("Stripe's list %s does not end: %s. The objects before that were sent. Try again later; if the problem persists, contact Stripe support.", row.Path, what),
		Internal: what,
		Stream:   row.Name,
	}
}
