package stripetest

import "strings"

// route is one list endpoint of Stripe, and the endpoints below it that return one object by its id.
type route struct {
	// path is Stripe's, with placeholders: "/v1/invoices/{invoice}/lines".
	path string
	// kinds are what the list holds.
	kinds []string
	// params are the parameters beyond limit, the cursors and expand.
	params []param
	// by is the relation of the listed kind that points to the object named in the path: "^", its parent, by default.
	by string
	// retrievable says that path/{id} returns one object.
	retrievable bool
	// created says that the list can be filtered by time of creation.
	created bool
	// one says that the endpoint returns one object, not a list.
	one bool
	// inline objects have no endpoint: the route is only for [Account.Truth] and [Account.Create].
	inline bool
	// unpaged lists take neither a limit nor a cursor and are always complete.
	unpaged bool
	// search lists take a query and a page instead.
	search bool
	// permission is what a restricted key needs, without "rak_" and "_read".
	permission string
	// product is what the account must be set up for: "issuing", "treasury" or nothing.
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
	// needs is the part of an object that has to be given.
	needs string
}

// row makes a route. A word in params is a parameter, such as "customer", "active:bool", "status:open|paid" or
// "scope:object/type!" (required, and its type too), or a flag: "created", "once" (no retrieval by id), "one", "inline", "unpaged" or "search".
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
		case word == "unpaged":
			r.unpaged = true
		case word == "search":
			r.search, r.retrievable = true, false
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

// permissionOf names the permission of most kinds. Stripe names them in the error message only, such as
// rak_charge_read.
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

func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// nested says whether the path names a parent.
func (r *route) nested() bool { return strings.Contains(r.path, "{") }

func (r *route) param(name string) *param {
	for i := range r.params {
		if r.params[i].name == name {
			return &r.params[i]
		}
	}
	return nil
}
