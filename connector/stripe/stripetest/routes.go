package stripetest

import (
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// route is a list endpoint of Stripe, along with the endpoint below it that returns one object by id.
type route struct {
	// path is Stripe's path, with placeholders: "/v1/invoices/{invoice}/lines".
	path string
	// kinds are the kinds in the list.
	kinds []string
	// params are the parameters other than limit, the cursors and expand.
	params []param
	// by is the listed kind's relation to the object named in the path. The default is "^", its parent.
	by string
	// retrievable means that path/{id} returns one object.
	retrievable bool
	// created means that the list can be filtered by creation time.
	created bool
	// one means that the endpoint returns one object instead of a list.
	one bool
	// inline routes are not endpoints. They exist only for [Account.Truth] and [Account.Create].
	inline bool
	// unpaged lists take no limit or cursor and are always complete.
	unpaged bool
	// forward lists have no ending_before.
	forward bool
	// search lists take a query and a page instead of cursors.
	search bool
	// since is the first version with the endpoint and until the first without it; empty for no bound.
	since, until string
	// permission is the permission that a restricted key needs, without "rak_" and "_read".
	permission string
	// product is the product that the account must be set up for: "issuing", "treasury" or "".
	product string

	segments []string
}

// param is a parameter of a list endpoint.
type param struct {
	name string
	// shape is "string", "bool", "integer", "array", "object", "range" or "enum".
	shape    string
	values   []string
	required bool
	// needs is the member of an object parameter that is required.
	needs string
}

// row returns a route. Each word in params is a parameter or a flag. Parameters look like "customer", "active:bool",
// "status:open|paid" or "scope:object/type!" (required, as is its member type). Flags are "created", "once" (no retrieval by
// id), "one", "inline", "unpaged", "forward" and "search"; "by=", "permission=", "since=" and "until=" set those fields.
func row(path, kinds, params string) route {
	r := route{path: path, kinds: strings.Split(kinds, "|"), by: "^", retrievable: true, segments: segments(path)}
	for word := range strings.FieldsSeq(params) {
		switch {
		case word == "created":
			r.created = true
		case word == "once":
			r.retrievable = false
		case word == "one":
			r.one, r.unpaged, r.retrievable = true, true, false
		case word == "inline":
			r.inline, r.retrievable = true, false
		case word == "forward":
			r.forward = true
		case word == "unpaged":
			r.unpaged = true
		case word == "search":
			r.search, r.retrievable = true, false
		case strings.HasPrefix(word, "since="):
			r.since = word[len("since="):]
		case strings.HasPrefix(word, "until="):
			r.until = word[len("until="):]
		case strings.HasPrefix(word, "by="):
			r.by = word[len("by="):]
		case strings.HasPrefix(word, "permission="):
			r.permission = word[len("permission="):]
		default:
			r.params = append(r.params, parseParam(word))
		}
	}
	if r.permission == "" {
		r.permission = permissionOf(r.kinds[0])
	}
	r.product = productOf(path)
	return r
}

func parseParam(word string) param {
	word, required := strings.CutSuffix(word, "!")
	name, shape, _ := strings.Cut(word, ":")
	shape, needs, _ := strings.Cut(shape, "/")
	p := param{name: name, shape: shape, needs: needs, required: required}
	switch {
	case shape == "":
		p.shape = "string"
	case strings.Contains(shape, "|"):
		p.shape, p.values = "enum", strings.Split(shape, "|")
	}
	return p
}

// permissionOf returns the permission for a kind, which is right for most of them. Stripe shows these names only in error
// messages, such as rak_charge_read.
func permissionOf(kind string) string {
	return strings.ReplaceAll(strings.TrimPrefix(kind, "customer_card"), ".", "_")
}

func productOf(path string) string {
	for _, product := range []string{"issuing", "treasury"} {
		if strings.HasPrefix(path, "/v1/"+product+"/") {
			return product
		}
	}
	return ""
}

// isIn reports whether an edition of the API has the endpoint.
func (r *route) isIn(e schema.Edition) bool {
	return r.since <= e.Version && (r.until == "" || e.Version < r.until)
}

func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// nested reports whether the path names a parent.
func (r *route) nested() bool { return strings.Contains(r.path, "{") }

func (r *route) param(name string) *param {
	for i := range r.params {
		if r.params[i].name == name {
			return &r.params[i]
		}
	}
	return nil
}
