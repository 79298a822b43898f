package family_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stripe/stripe-mock/embedded"
	mock "github.com/stripe/stripe-mock/server"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// stripeMock is Stripe's own mock server, which validates the parameters of each request against the OpenAPI document.
var stripeMock = sync.OnceValue(func() http.Handler {
	spec, err := mock.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		panic(err)
	}
	fixtures, err := mock.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		panic(err)
	}
	stub, err := mock.NewStubServer(fixtures, spec, true, false)
	if err != nil {
		panic(err)
	}
	return http.HandlerFunc(stub.HandleRequest)
})

// mockClient returns a client of stripe-mock, which is shut down when the test ends.
func mockClient(t *testing.T) *api.Client {
	t.Helper()
	server := httptest.NewServer(stripeMock())
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return api.New(api.Options{
		Key: connector.NewSecret("sk_test_123"), Base: server.URL, Transport: api.ReadOnly(transport), Retry: api.Retry{Budget: 1},
		MaxRequestsPerSecond: 10_000,
	})
}

// TestStripeMockAcceptsEveryRequest sends the list requests of each row: the first page and a later one, for one parent if
// it is a child, with everything that its own children need.
func TestStripeMockAcceptsEveryRequest(t *testing.T) {
	client := mockClient(t)
	streams := table.Streams()
	for i := range streams {
		row := &streams[i]
		if isUndocumented(row) || row.Inline {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			f := family.Of(streams, row, everything(streams, row))
			parent := rawjson.CutObject(`{"id":"parent_1","ownership":"fcaowns_1"}`)
			path, query := f.List(table.Place{Parent: parent, Across: "mtr_1", From: 1, To: 86401})
			if row.Single {
				if page, err := client.Single(t.Context(), path, query); err != nil || page.Objects[0].Type != row.Object {
					t.Errorf("%s: got %+v, %v, want one %s", path, page, err, row.Object)
				}
				return
			}
			expectObjects(t, client, row, path, query)
			if row.Unpaged {
				return
			}
			query.Set("starting_after", "x_1")
			if row.Cursor != "" && row.Parent == "" {
				query.Set("created[gte]", "1")
				query.Set("created[lt]", "2")
			}
			expectObjects(t, client, row, path, query)
		})
	}
}

// TestStripeMockAcceptsEveryRetrieval requests one object of each row, where the OpenAPI document has an endpoint for that.
func TestStripeMockAcceptsEveryRetrieval(t *testing.T) {
	client := mockClient(t)

	known := map[string]bool{}
	for path, operations := range documentedPaths(t) {
		known[pathParameter.ReplaceAllString(path, "{}")] = operations.Get != nil
	}
	streams, retrieved := table.Streams(), 0
	for i := range streams {
		row := &streams[i]
		if !known[pathParameter.ReplaceAllString(row.Path, "{}")+"/{}"] || row.Inline {
			continue
		}
		retrieved++
		parent := rawjson.CutObject(`{"id":"parent_1"}`)
		object, err := client.Get(t.Context(), row.Retrieve(table.Place{Parent: parent}, "id_1"), nil)
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if row.Path == "/v1/customers/{parent}/sources" {
			continue // stripe-mock returns a type of source that this list never contains
		}
		if objects := streams.Objects(row); !slices.Contains(objects, object.Type) {
			t.Errorf("%s: got a %s, want %v", row.Name, object.Type, objects)
		}
	}
	if retrieved < 70 {
		t.Errorf("only %d streams have objects that can be retrieved, want at least 70", retrieved)
	}
}

// isUndocumented reports whether the stream was added by stripe-go v76.25.0, after the OpenAPI document of stripe-mock.
func isUndocumented(row *table.Stream) bool {
	for _, path := range []string{"/v1/billing/meters", "/v1/entitlements/", "/v1/forwarding/"} {
		if strings.HasPrefix(row.Path, path) {
			return true
		}
	}
	return false
}

// everything selects a row and all its descendants, for the largest possible requests.
func everything(streams table.Table, row *table.Stream) []*selected.Stream {
	all := []*selected.Stream{{Row: row}}
	for i := range streams {
		if streams[i].Parent == row.Name {
			all = append(all, everything(streams, &streams[i])...)
		}
	}
	return all
}

func expectObjects(t *testing.T, client *api.Client, row *table.Stream, path string, query url.Values) {
	t.Helper()
	page, err := client.List(t.Context(), path, query)
	if err != nil {
		t.Error(err)
		return
	}
	if objects := table.Streams().Objects(row); len(page.Objects) == 0 || !slices.Contains(objects, page.Objects[0].Type) {
		t.Errorf("%s lists %+v, want %v", path, page.Objects, objects)
	}
}

// TestStripeMockRefuses shows that TestStripeMockAcceptsEveryRequest can fail.
func TestStripeMockRefuses(t *testing.T) {
	client := mockClient(t)
	for name, query := range map[string]url.Values{
		"unknown parameter": {"updated[gte]": {"1"}},
		"bad value":         {"limit": {"many"}},
	} {
		if _, err := client.List(t.Context(), "/v1/charges", query); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// pathParameter matches a parameter in a path of the document.
var pathParameter = regexp.MustCompile(`{[^}]+}`)

// documentedPaths returns the paths of Stripe's OpenAPI document.
func documentedPaths(t *testing.T) map[string]struct{ Get *struct{} } {
	t.Helper()
	var document struct {
		Paths map[string]struct{ Get *struct{} }
	}
	if err := json.Unmarshal(embedded.OpenAPISpec, &document); err != nil {
		t.Fatal(err)
	}
	return document.Paths
}

// TestStripeMockShowsExpandedColumns asks for every column that Stripe is said to show only if it is expanded.
func TestStripeMockShowsExpandedColumns(t *testing.T) {
	client := mockClient(t)
	streams, asked := table.Streams(), 0
	for i := range streams {
		row := &streams[i]
		if row.Parent != "" || row.Single || isUndocumented(row) {
			continue
		}
		for _, e := range streams.Fields(row).Includable() {
			if strings.HasSuffix(e.Path(), "number") {
				continue // stripe-mock expands objects only: "Expansion not supported"
			}
			asked++
			s := &selected.Stream{Row: row, Expansions: []table.Expansion{e}}
			path, query := family.Of(streams, row, []*selected.Stream{s}).List(table.Place{})
			page, err := client.List(t.Context(), path, query)
			if err != nil || len(page.Objects) == 0 {
				t.Errorf("%s, %s: %v", row.Name, e.Path(), err)
				continue
			}
			names := strings.Split(e.Path(), ".")
			above, _ := rawjson.Lookup(page.Objects[0].Raw, names[:len(names)-1]...)
			if _, shown := rawjson.Lookup(page.Objects[0].Raw, names...); !shown && strings.HasPrefix(above, "{") {
				t.Errorf("%s has no %s, although it is asked for", row.Name, e.Path())
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d columns are to be expanded", asked)
	}
}
