package stripetest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixed returns options that produce the same responses every day.
func fixed() Options {
	now := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	return Options{Now: func() time.Time { return now }}
}

// page is a list as Stripe returns it.
type page struct {
	Object  string            `json:"object"`
	Data    []json.RawMessage `json:"data"`
	HasMore bool              `json:"has_more"`
	URL     string            `json:"url"`
}

// call sends a request and returns the response.
func call(t testing.TB, s http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := get(target)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	return w
}

// fetch sends a request that must succeed and decodes the response.
func fetch[T any](t testing.TB, s http.Handler, target string, header ...string) (v T) {
	t.Helper()
	w := call(t, s, target, header...)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("GET %s: %v\n%s", target, err, w.Body)
	}
	return v
}

// errorOf sends a request that must fail, and returns the error.
// readAll reads a list page by page and returns the ids in order.
func errorOf(t testing.TB, s http.Handler, target string, header ...string) (status int, e struct{ Code, Message, Param, Type string }) {
	t.Helper()
	w := call(t, s, target, header...)
	var body struct {
		Error *struct{ Code, Message, Param, Type string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error == nil {
		t.Fatalf("GET %s: %d, not an error: %v\n%.300s", target, w.Code, err, w.Body)
	}
	return w.Code, *body.Error
}

// readAll reads a list page by page, and returns the ids in order.
func readAll(t testing.TB, s http.Handler, path string, query string, limit string, header ...string) (ids []string, objects map[string]json.RawMessage) {
	t.Helper()
	objects = map[string]json.RawMessage{}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	values.Set("limit", limit)
	for range 100_000 {
		p := fetch[page](t, s, path+"?"+values.Encode(), header...)
		for _, object := range p.Data {
			id := idOf(t, object)
			if objects[id] != nil {
				t.Fatalf("%s: %s comes twice", path, id)
			}
			ids, objects[id] = append(ids, id), object
		}
		if !p.HasMore {
			return ids, objects
		}
		values.Set("starting_after", ids[len(ids)-1])
	}
	t.Fatalf("%s does not end", path)
	return nil, nil
}

func idOf(t testing.TB, object json.RawMessage) string {
	t.Helper()
	var v struct{ ID string }
	if err := json.Unmarshal(object, &v); err != nil {
		t.Fatal(err)
	}
	return v.ID
}

// lists returns a request for every list of APIVersion, with the path's placeholders and the required parameters filled in.
func lists(s *Stripe) map[string]string { return listsIn(s, APIVersion) }

// listsIn is like lists, for another version.
func listsIn(s *Stripe, version string) map[string]string {
	all := map[string]string{}
	m := s.modelOf(version)
	for i := range m.routes {
		r := &m.routes[i]
		path := r.path
		if r.one || r.inline {
			continue
		}
		if r.nested() {
			path = urlOf(placeholders(path), newestParent(s, r))
		}
		query := url.Values{}
		for _, p := range r.params {
			if p.required {
				name, value := sample(s, r, &p)
				query.Set(name, value)
			}
		}
		all[r.path] = path + "?" + query.Encode()
	}
	return all
}

func newestParent(s *Stripe, r *route) string {
	kind := s.stores[r.kinds[0]].kind.parent
	if r.by != "^" {
		kind = s.stores[r.kinds[0]].kind.relation(r.by).kinds[0]
	}
	all := s.stores[kind].all()
	return s.stores[kind].id(all[len(all)-1])
}

// sample returns a valid value for a required parameter.
func sample(s *Stripe, r *route, p *param) (name, value string) {
	relation := s.stores[r.kinds[0]].kind.relation(p.name)
	switch {
	case relation != nil && len(relation.kinds) > 0:
		target := s.stores[relation.kinds[0]]
		return p.name, target.id(target.all()[0])
	case s.stores[s.stores[r.kinds[0]].kind.parent] != nil && !r.nested():
		parent := s.stores[s.stores[r.kinds[0]].kind.parent]
		if relation != nil && relation.via == "^" && relation.take != "" {
			parent = s.stores["treasury.financial_account"]
		}
		return p.name, parent.id(parent.all()[0])
	case p.shape == "object":
		return p.name + "[type]", "account"
	case p.shape == "integer":
		return p.name, "1"
	case p.name == "query":
		return p.name, "created>0"
	case p.name == "customer":
		customers := s.stores["customer"]
		return p.name, customers.id(customers.all()[0])
	}
	return p.name, "x"
}

func join(path, query string) string {
	if strings.Contains(path, "?") {
		return strings.TrimSuffix(path, "&") + "&" + query
	}
	return path + "?" + query
}
