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

// Pager says how to ask for the next page of a list: a smaller one where Stripe cannot serve a larger one. It also notices a
// list that does not end. The zero value is not of use.
type Pager struct {
	most, size int
	ahead      int // one of so many objects ahead cannot be served; 0 if none is known
	restarts   int // without a cursor, since one was last of use

	mark            string // a cursor that was used before
	since, nextMark int
}

// NewPager returns the Pager of a list whose pages have so many objects at most.
func NewPager(most int) *Pager { return &Pager{most: most, size: most} }

// shrink notes that a page could not be served, so that half of it is asked for next.
func (p *Pager) shrink() {
	p.ahead = p.size
	p.size /= 2
}

// served notes that a page was served. Of the objects ahead of which one cannot be, half are asked for next; once past it, the
// pages grow again.
func (p *Pager) served(n int) {
	if p.ahead = max(p.ahead-n, 0); p.ahead > 0 {
		p.size = max(p.ahead/2, 1)
		return
	}
	p.size = min(2*p.size, p.most)
}

// mostRestarts is how often in a row a list is resumed without its cursor: each time, its object must just have been deleted.
const mostRestarts = 20

// Restart notes that a list is resumed without its cursor, which Stripe does not know any more. It returns an error if that
// happens again and again.
func (p *Pager) Restart(row *table.Stream) error {
	if p.restarts++; p.restarts > mostRestarts {
		return EndlessList(row, "Stripe refuses each cursor that it gave")
	}
	p.mark, p.since, p.nextMark = "", 0, 0
	return nil
}

// Continue notes that the list goes on behind an object. It returns an error if the list went on behind that one before, and
// so would not end. Of the cursors that were used, one is remembered, ever later and more seldom (Brent's algorithm).
func (p *Pager) Continue(row *table.Stream, id string) error {
	if id == p.mark {
		return EndlessList(row, fmt.Sprintf("the list goes on behind %q again and again", id))
	}
	if p.since++; p.since > p.nextMark {
		p.mark, p.since, p.nextMark = id, 0, 2*p.nextMark+1
	}
	return nil
}

// List reads the page behind the cursor in the query, a smaller one if Stripe cannot serve a larger one. If Stripe cannot
// serve even the smallest, which api.IsBroken reports of the error, it was asked for that twice, and was there for others.
func (r *Reader) List(ctx context.Context, path string, query url.Values, p *Pager) (*api.Page, error) {
	for again := false; ; {
		if query.Has("limit") {
			query.Set("limit", strconv.Itoa(p.size))
		}
		page, err := r.Client.List(ctx, path, query, api.Shrinkable)
		smallest := p.size == 1 || !query.Has("limit")
		switch {
		case err == nil:
			p.served(len(page.Objects))
			if query.Has("starting_after") {
				p.restarts = 0
			}
			return page, nil
		case !api.IsBroken(err) || again && smallest:
			return nil, err
		case (p.size == p.most || smallest) && !r.alive(ctx, path):
			return r.Client.List(ctx, path, query) // it is retried for as long as any request
		case smallest:
			again = true
		default:
			p.shrink()
		}
	}
}

// EndlessList returns the failure of a list that does not end.
func EndlessList(row *table.Stream, what string) error {
	return &connector.Failure{
		Class:    connector.SourceData,
		Message:  fmt.Sprintf("Stripe's list %s does not end: %s. What came of it was sent. Try again later; if it stays, ask Stripe's support.", row.Path, what),
		Internal: what,
		Stream:   row.Name,
	}
}
