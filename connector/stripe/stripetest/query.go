package stripetest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is a parsed request for a list.
type query struct {
	route         *route
	limit         int
	after, before string
	// inclusive makes the page begin with the cursor's own object.
	inclusive bool
	created   bounds
	expand    expansion
	// matches are the conditions of the filters.
	matches []func(ref) bool
	// pointsTo, if set, is the object that all items point to through relation.
	pointsTo *ref
	relation string
	// empty makes the list empty, whatever objects exist.
	empty bool
}

// bounds is a range in Unix seconds, inclusive at both ends.
type bounds struct{ from, to int64 }

func unbounded() bounds { return bounds{0, 1<<62 - 1} }

func (b bounds) contain(at int64) bool { return b.from <= at && at <= b.to }

// parseQuery parses the parameters of a list, and rejects the same ones as Stripe.
func (a *Account) parseQuery(m *model, r *route, values url.Values) (*query, *apiError) {
	q := &query{route: r, limit: 10, created: unbounded()}
	if err := r.checkNames(values); err != nil {
		return nil, err
	}
	for i := range r.params {
		if err := r.params[i].check(values); err != nil {
			return nil, err
		}
	}
	if err := q.paging(values); err != nil {
		return nil, err
	}
	var err *apiError
	if q.created, err = parseRange("created", values); err != nil {
		return nil, err
	}
	q.expand, err = m.parseExpansion(array(values, "expand"), m.objects(r), true)
	if err != nil {
		return nil, err
	}
	return q, q.filters(a, values)
}

// base returns the name of a parameter without its bracketed suffix.
func base(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// checkNames rejects parameters that the endpoint does not have.
func (r *route) checkNames(values url.Values) *apiError {
	known := []string{"expand"}
	switch {
	case r.search:
		known = append(known, "limit", "page")
	case !r.unpaged:
		known = append(known, "limit", "starting_after", "ending_before")
	}
	if r.forward {
		known = slices.DeleteFunc(known, func(name string) bool { return name == "ending_before" })
	}
	if r.created {
		known = append(known, "created")
	}
	var unknown []string
	for name := range values {
		if !slices.Contains(known, base(name)) && r.param(base(name)) == nil {
			unknown = append(unknown, name)
		}
	}
	return unknownParameters(unknown)
}

func unknownParameters(names []string) *apiError {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	plural := ""
	if len(names) > 1 {
		plural = "s"
	}
	return invalid(names[0], "parameter_unknown", fmt.Sprintf("Received unknown parameter%s: %s", plural, strings.Join(names, ", ")))
}

// array returns the values of name[], name[0] and so on, in order.
func array(values url.Values, name string) []string {
	var names []string
	for n := range values {
		inner, ok := strings.CutPrefix(n, name+"[")
		inner, closed := strings.CutSuffix(inner, "]")
		if ok && closed && strings.Trim(inner, "0123456789") == "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var all []string
	for _, n := range names {
		all = append(all, values[n]...)
	}
	return all
}

// check rejects values of the wrong shape.
func (p *param) check(values url.Values) *apiError {
	given, nested := values.Has(p.name), false
	for name := range values {
		nested = nested || name != p.name && base(name) == p.name
	}
	value := values.Get(p.name)
	switch {
	case p.required && !given && !nested:
		return invalid(p.name, "parameter_missing", fmt.Sprintf("Missing required param: %s.", p.name))
	case nested && !slices.Contains([]string{"array", "object", "range"}, p.shape):
		return invalid(p.name, "", "Invalid string: {...}")
	case nested && p.shape == "array" && len(array(values, p.name)) == 0:
		return invalid(p.name, "", "Invalid array")
	case nested && p.shape == "object" && values.Has(p.name+"[]"):
		return invalid(p.name, "", "Invalid object")
	case nested && p.needs != "" && !values.Has(p.name+"["+p.needs+"]"):
		return invalid(p.name, "parameter_missing", fmt.Sprintf("Missing required param: %s[%s].", p.name, p.needs))
	case !given:
		return nil
	}
	switch p.shape {
	case "bool":
		if value != "true" && value != "false" {
			return invalid(p.name, "", fmt.Sprintf("Invalid boolean: %s", value))
		}
	case "integer":
		return checkInteger(p.name, value)
	case "array":
		return invalid(p.name, "", "Invalid array")
	case "object":
		return invalid(p.name, "", "Invalid object")
	case "enum":
		if !slices.Contains(p.values, value) {
			return invalid(p.name, "", fmt.Sprintf("Invalid %s: must be one of %s", p.name, strings.Join(p.values, ", ")))
		}
	}
	return nil
}

func checkInteger(name, text string) *apiError {
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return invalid(name, "parameter_invalid_integer", fmt.Sprintf("Invalid integer: %s", text))
	}
	return nil
}

// paging parses limit and the cursors (https://docs.stripe.com/api/pagination).
func (q *query) paging(values url.Values) *apiError {
	if text := values.Get("limit"); values.Has("limit") {
		if err := checkInteger("limit", text); err != nil {
			return err
		}
		n, _ := strconv.ParseInt(text, 10, 64)
		if n < 1 {
			return invalid("limit", "parameter_invalid_integer", "This value must be greater than or equal to 1.")
		}
		if n > 100 {
			return invalid("limit", "parameter_invalid_integer", "This value must be less than or equal to 100.")
		}
		q.limit = int(n)
	}
	q.after, q.before = values.Get("starting_after"), values.Get("ending_before")
	for _, name := range []string{"starting_after", "ending_before"} {
		if values.Has(name) && values.Get(name) == "" {
			return invalid(name, "parameter_invalid_empty", fmt.Sprintf("You passed an empty string for '%s'. "+
				"We assume empty values are an attempt to unset a parameter; however '%s' cannot be unset.", name, name))
		}
	}
	if q.after != "" && q.before != "" {
		return invalid("ending_before", "", "You may only specify one of these parameters: ending_before, starting_after.")
	}
	return nil
}

// parseRange parses name=n, or name[gte]=n and so on. Ranges are in whole seconds.
func parseRange(name string, values url.Values) (bounds, *apiError) {
	b := unbounded()
	for key, texts := range values {
		if base(key) != name {
			continue
		}
		n, err := strconv.ParseInt(texts[0], 10, 64)
		if err != nil {
			return b, invalid(key, "parameter_invalid_integer", fmt.Sprintf("Invalid integer: %s", texts[0]))
		}
		switch strings.TrimPrefix(key, name) {
		case "":
			b.from, b.to = max(b.from, n), min(b.to, n)
		case "[gt]":
			b.from = max(b.from, n+1)
		case "[gte]":
			b.from = max(b.from, n)
		case "[lt]":
			b.to = min(b.to, n-1)
		case "[lte]":
			b.to = min(b.to, n)
		default:
			return b, unknownParameters([]string{key})
		}
	}
	return b, nil
}

// noSuchCursor returns the error for a cursor whose object does not exist or is no longer in the list.
func noSuchCursor(object, id, param string) *apiError {
	return missing(http.StatusBadRequest, object, id, param)
}
