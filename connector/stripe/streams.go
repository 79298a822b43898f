package stripe

import (
	"net/url"
	"slices"
	"strings"
)

// stream is one row of the table: a stream and every peculiarity of its endpoint.
type stream struct {
	Name string
	// Object is the object type that the endpoint lists. Objects of another type never become records.
	Object string
	// Path is the list endpoint. In the path of a child, {parent} stands for its parent's id.
	Path string
	// Key is the primary key; nil means id.
	Key []string
	// Params are sent with every list request, to unhide rows that the endpoint hides by default.
	Params url.Values
	// Windowed: the endpoint filters by a range of created.
	Windowed bool
	// RetentionDays is how far back the endpoint reaches; zero means for ever.
	RetentionDays int
	// Parent is the stream whose objects carry this one's, in the embedded list Embedded. Only the first few are there;
	// the rest is listed at Path, with ParentParam naming the parent if the path does not.
	Parent, Embedded, ParentParam string
	// ParentField of each object is set to its parent's id, where the endpoint leaves it out.
	ParentField string
	// Doc is the page of Stripe's documentation about the object.
	Doc string
}

// streams gives the ONE table of streams. Adding a stream is adding a row.
func streams() table {
	return table{
		{Name: "balance_transactions", Object: "balance_transaction", Path: "/v1/balance_transactions", Windowed: true,
			Doc: "https://docs.stripe.com/api/balance_transactions/object"},
		{Name: "charges", Object: "charge", Path: "/v1/charges", Windowed: true,
			Doc: "https://docs.stripe.com/api/charges/object"},
		{Name: "coupons", Object: "coupon", Path: "/v1/coupons", Windowed: true,
			Doc: "https://docs.stripe.com/api/coupons/object"},
		{Name: "customers", Object: "customer", Path: "/v1/customers", Windowed: true,
			Doc: "https://docs.stripe.com/api/customers/object"},
		{Name: "disputes", Object: "dispute", Path: "/v1/disputes", Windowed: true,
			Doc: "https://docs.stripe.com/api/disputes/object"},
		// Events live 30 days: https://docs.stripe.com/api/events.
		{Name: "events", Object: "event", Path: "/v1/events", Windowed: true, RetentionDays: 30,
			Doc: "https://docs.stripe.com/api/events/object"},
		// The ids of line items repeat across invoices. The first 10 are embedded:
		// https://docs.stripe.com/api/invoices/invoice_lines.
		{Name: "invoice_line_items", Object: "line_item", Path: "/v1/invoices/{parent}/lines", Key: []string{"invoice", "id"},
			Parent: "invoices", Embedded: "lines", ParentField: "invoice",
			Doc: "https://docs.stripe.com/api/invoice-line-item/object"},
		{Name: "invoices", Object: "invoice", Path: "/v1/invoices", Windowed: true,
			Doc: "https://docs.stripe.com/api/invoices/object"},
		{Name: "payment_intents", Object: "payment_intent", Path: "/v1/payment_intents", Windowed: true,
			Doc: "https://docs.stripe.com/api/payment_intents/object"},
		{Name: "payouts", Object: "payout", Path: "/v1/payouts", Windowed: true,
			Doc: "https://docs.stripe.com/api/payouts/object"},
		{Name: "plans", Object: "plan", Path: "/v1/plans", Windowed: true,
			Doc: "https://docs.stripe.com/api/plans/object"},
		{Name: "prices", Object: "price", Path: "/v1/prices", Windowed: true,
			Doc: "https://docs.stripe.com/api/prices/object"},
		{Name: "products", Object: "product", Path: "/v1/products", Windowed: true,
			Doc: "https://docs.stripe.com/api/products/object"},
		{Name: "refunds", Object: "refund", Path: "/v1/refunds", Windowed: true,
			Doc: "https://docs.stripe.com/api/refunds/object"},
		{Name: "subscription_items", Object: "subscription_item", Path: "/v1/subscription_items",
			Parent: "subscriptions", Embedded: "items", ParentParam: "subscription", ParentField: "subscription",
			Doc: "https://docs.stripe.com/api/subscription_items/object"},
		// Canceled ones are hidden unless asked for: https://docs.stripe.com/api/subscriptions/list.
		{Name: "subscriptions", Object: "subscription", Path: "/v1/subscriptions", Params: url.Values{"status": {"all"}}, Windowed: true,
			Doc: "https://docs.stripe.com/api/subscriptions/object"},
		{Name: "transfers", Object: "transfer", Path: "/v1/transfers", Windowed: true,
			Doc: "https://docs.stripe.com/api/transfers/object"},
	}
}

// table is the streams, in the order of the catalog.
type table []stream

// find gives the stream of a name, or nil.
func (t table) find(name string) *stream {
	i := slices.IndexFunc(t, func(s stream) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &t[i]
}

// names lists the streams' names.
func (t table) names() []string {
	names := make([]string, len(t))
	for i, s := range t {
		names[i] = s.Name
	}
	return names
}

// children lists the streams that a stream's objects carry.
func (t table) children(parent string) []*stream {
	var children []*stream
	for i := range t {
		if t[i].Parent == parent {
			children = append(children, &t[i])
		}
	}
	return children
}

// root gives the stream whose endpoint is paged to reach s: its topmost ancestor.
func (t table) root(s *stream) *stream {
	for s.Parent != "" {
		s = t.find(s.Parent)
	}
	return s
}

// primaryKey gives the paths of the fields that together identify a row.
func (s *stream) primaryKey() []string {
	if s.Key != nil {
		return s.Key
	}
	return []string{"id"}
}

// cursor gives the field by which the endpoint orders and filters; empty if there is none.
func (s *stream) cursor() string {
	if s.Windowed {
		return "created"
	}
	return ""
}

// list gives path and parameters of a page of s, of one parent if s is a child.
func (s *stream) list(parentID string) (string, url.Values) {
	query := url.Values{"limit": {"100"}}
	for name, values := range s.Params {
		query[name] = values
	}
	if s.ParentParam != "" {
		query.Set(s.ParentParam, parentID)
	}
	return strings.ReplaceAll(s.Path, "{parent}", url.PathEscape(parentID)), query
}
