package stripetest

import (
	"net/http"
	"net/url"
	"strings"
)

// answer renders the response to a request whose key and account are already known.
func (a *Account) answer(x *exchange, c *caller, r *renderer, values url.Values) *apiError {
	end, ids := x.end, x.ids
	if end.route.inline {
		return unrecognized(x.request.Method, x.request.URL.Path, "")
	}
	if end.single || end.route.one {
		return a.answerObject(x, c, r, values)
	}
	var parent *ref
	if end.route.nested() {
		p, err := a.visibleParent(end.route, ids[0])
		if err != nil {
			return err
		}
		parent = &p
	}
	q, err := a.parseQuery(x.model, end.route, values)
	if err != nil {
		return err
	}
	if end.route.search {
		return a.answerSearch(r, q, values)
	}
	if err := a.stripe.authorizeExpansion(x, c, q.expand); err != nil {
		return err
	}
	items, more, err := x.page(a, q, parent)
	if err != nil {
		return err
	}
	if fault := a.stripe.faults.chooseContaining(x, items); fault != nil {
		x.fault = fault
	}
	location := end.route.path
	if parent != nil {
		location = urlOf(placeholders(location), parent.store.id(parent.ordinal))
	}
	r.list(items, more, location, a.stripe.level(), func(t ref, level int) {
		r.object(t, t.store.revision(t.ordinal), q.expand, level, false)
	})
	return nil
}

// placeholders replaces the first {placeholder} of a path with %s.
func placeholders(path string) string {
	before, rest, _ := strings.Cut(path, "{")
	_, after, _ := strings.Cut(rest, "}")
	return before + "%s" + after
}

// parentOf returns the parent object named in a list's path.
func (a *Account) parentOf(r *route, id string) (ref, *apiError) {
	target := a.stores[r.kinds[0]].kind.parent
	if r.by != "^" {
		target = a.stores[r.kinds[0]].kind.relation(r.by).kinds[0]
	}
	if target == "" || a.stores[target] == nil {
		target = "customer"
	}
	t, ok := a.stores[target].find(id)
	if !ok || !t.store.isAlive(t.ordinal) {
		return ref{}, missing(http.StatusNotFound, a.stores[target].kind.object, id, segmentName(r))
	}
	return t, nil
}

// visibleParent returns the parent object named in a list's path, if it can be retrieved yet.
func (a *Account) visibleParent(r *route, id string) (ref, *apiError) {
	t, err := a.parentOf(r, id)
	if err == nil && !t.store.retrievable(t.ordinal, a.stripe.now()) {
		err = missing(http.StatusNotFound, t.store.kind.object, id, segmentName(r))
	}
	return t, err
}

// segmentName returns the name of the path's placeholder, which Stripe's error reports as the parameter.
func segmentName(r *route) string {
	_, rest, _ := strings.Cut(r.path, "{")
	name, _, _ := strings.Cut(rest, "}")
	return name
}

// answerObject renders a single object.
func (a *Account) answerObject(x *exchange, c *caller, r *renderer, values url.Values) *apiError {
	route, ids := x.end.route, x.ids
	var names []string
	for name := range values {
		if base(name) != "expand" {
			names = append(names, name)
		}
	}
	if err := unknownParameters(names); err != nil {
		return err
	}
	e, err := x.model.parseExpansion(array(values, "expand"), x.model.objects(route), false)
	if err != nil {
		return err
	}
	if err := a.stripe.authorizeExpansion(x, c, e); err != nil {
		return err
	}
	kind := a.stores[route.kinds[0]].kind
	t, ok, err := a.named(route, ids)
	if err != nil {
		return err
	}
	id := kind.name
	if len(ids) > 0 {
		id = ids[len(ids)-1]
	}
	switch {
	case !ok || !t.store.retrievable(t.ordinal, r.now) || kind.name == "event" && int64(t.store.time(t.ordinal)) < r.now-int64(Retention.Seconds()):
		return missing(http.StatusNotFound, kind.object, id, "id")
	case !t.store.isAlive(t.ordinal) && kind.name == "customer":
		// https://docs.stripe.com/api/customers/retrieve
		r.deleted(t, a.stripe.level())
	case !t.store.isAlive(t.ordinal):
		return missing(http.StatusNotFound, kind.object, id, "id")
	default:
		r.object(t, t.store.revision(t.ordinal), e, a.stripe.level(), false)
	}
	return nil
}

// named returns the object named in the path, or the only one if the path has no id.
func (a *Account) named(route *route, ids []string) (ref, bool, *apiError) {
	switch {
	case !route.one:
		return a.objectBelow(route, ids)
	case !route.nested():
		return ref{a.stores[route.kinds[0]], 0}, true, nil
	}
	parent, err := a.visibleParent(route, ids[0])
	if err != nil {
		return ref{}, false, err
	}
	children := a.candidates(&query{route: route}, &parent)
	if children.len() == 0 {
		return ref{}, false, nil
	}
	return children.at(children.len() - 1), true, nil
}

// objectBelow returns the object named in the path, looking below its parent if the path names one.
func (a *Account) objectBelow(route *route, ids []string) (ref, bool, *apiError) {
	id := ids[len(ids)-1]
	if !route.nested() {
		for _, name := range route.kinds {
			if t, ok := a.stores[name].find(id); ok {
				return t, true, nil
			}
		}
		return ref{}, false, nil
	}
	parent, err := a.visibleParent(route, ids[0])
	if err != nil {
		return ref{}, false, err
	}
	c := a.candidates(&query{route: route}, &parent)
	for i := range c.len() {
		if t := c.at(i); t.store.id(t.ordinal) == id {
			return t, true, nil
		}
	}
	return ref{}, false, nil
}

// answerSearch renders search results, newest first. Of the query language, it supports comparisons of properties such as
// status, currency and created, joined by AND (https://docs.stripe.com/search#search-query-language).
func (a *Account) answerSearch(r *renderer, q *query, values url.Values) *apiError {
	if err := q.search(values.Get("query")); err != nil {
		return err
	}
	q.after = values.Get("page")
	items, more, err := a.page(q, nil)
	if err != nil {
		return err
	}
	r.list(items, more, q.route.path, a.stripe.level(), func(t ref, level int) {
		r.object(t, t.store.revision(t.ordinal), q.expand, level, false)
	})
	next := "null"
	if more {
		last := items[len(items)-1]
		next = quoted(last.store.id(last.ordinal)).text
	}
	// The list ends in "url": …}; a search result has more properties, and another object type.
	text := strings.Replace(string(r.buf), `"list"`, `"search_result"`, 1)
	text = strings.TrimRight(strings.TrimSuffix(text, "}"), "\n")
	r.buf = append(r.buf[:0], text...)
	r.property("next_page", deeper(a.stripe.level()), true)
	r.buf = append(r.buf, next...)
	r.line(a.stripe.level())
	r.buf = append(r.buf, '}')
	return nil
}

// search adds the conditions of a search query to q.
func (q *query) search(text string) *apiError {
	for clause := range strings.SplitSeq(text, " AND ") {
		at := strings.IndexAny(clause, ":<>")
		if at <= 0 {
			return invalid("query", "", "We were unable to parse your search query. Try using the format `metadata[\"key\"]:\"value\"`.")
		}
		name, value := strings.TrimSpace(clause[:at]), strings.Trim(clause[at+1:], `'" `)
		if name != "created" {
			q.equal(&param{name: name}, value)
			continue
		}
		operator := map[string]string{":": "", ">": "[gt]", "<": "[lt]"}[clause[at:at+1]]
		if rest, equal := strings.CutPrefix(value, "="); equal {
			operator, value = strings.Replace(operator, "t]", "te]", 1), rest
		}
		b, err := parseRange("created", url.Values{"created" + operator: {value}})
		if err != nil {
			return err
		}
		q.created = bounds{max(q.created.from, b.from), min(q.created.to, b.to)}
	}
	return nil
}
