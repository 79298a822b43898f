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

	mock "github.com/stripe/stripe-mock/server"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// version is a version of the API with its streams and Stripe's own mock server, which validates each request against the OpenAPI
// document, and its version.
type version struct {
	openapi.Document
	streams table.Table
	client  *api.Client
}

// stripeMocks holds the mock servers by version. They are made once, because parsing a document takes a second.
var stripeMocks sync.Map

func stripeMock(t *testing.T, d openapi.Document) http.Handler {
	t.Helper()
	if known, ok := stripeMocks.Load(d.Version); ok {
		return known.(http.Handler)
	}
	spec, err := mock.LoadSpec(d.Spec, "")
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := mock.LoadFixtures(d.Fixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := mock.NewStubServer(fixtures, spec, true, false)
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(stub.HandleRequest)
	stripeMocks.Store(d.Version, handler)
	return handler
}

// eachVersion runs a test for each version. The server is shut down when the test ends.
func eachVersion(t *testing.T, test func(t *testing.T, v version)) {
	t.Helper()
	for _, d := range openapi.Documents() {
		t.Run(d.Version, func(t *testing.T) {
			server := httptest.NewServer(stripeMock(t, d))
			transport := &http.Transport{}
			t.Cleanup(func() {
				transport.CloseIdleConnections()
				server.Close()
			})
			e, _ := schema.Of(d.Version)
			test(t, version{d, table.Streams(e), api.New(api.Options{
				Key: connector.NewSecret("sk_test_123"), Base: server.URL, Version: d.Version, Transport: api.ReadOnly(transport),
				Retry: api.Retry{Budget: 1}, MaxRequestsPerSecond: 10_000,
			})})
		})
	}
}

// TestStripeMockAcceptsEveryRequest sends the list requests of each row: the first page and a later one, for one parent if
// it is a child, with everything that its own children need.
func TestStripeMockAcceptsEveryRequest(t *testing.T) {
	eachVersion(t, func(t *testing.T, v version) { v.expectAccepted(t) })
}

func (v version) expectAccepted(t *testing.T) {
	t.Helper()
	streams, client := v.streams, v.client
	for i := range streams {
		row := &streams[i]
		if v.lacks(row) || row.Inline {
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
			v.expectObjects(t, row, path, query)
			if row.Unpaged {
				return
			}
			query.Set("starting_after", "x_1")
			if row.Cursor != "" && row.Parent == "" && !v.lacksFilter(row) {
				query.Set("created[gte]", "1")
				query.Set("created[lt]", "2")
			}
			v.expectObjects(t, row, path, query)
		})
	}
}

// TestStripeMockAcceptsEveryRetrieval requests one object of each row, where the OpenAPI document has an endpoint for that.
func TestStripeMockAcceptsEveryRetrieval(t *testing.T) {
	eachVersion(t, func(t *testing.T, v version) { v.expectRetrieved(t) })
}

func (v version) expectRetrieved(t *testing.T) {
	t.Helper()
	client := v.client
	known := map[string]bool{}
	for path, operations := range v.paths(t) {
		known[pathParameter.ReplaceAllString(path, "{}")] = operations.Get != nil
	}
	streams, retrieved := v.streams, 0
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

// lacksFilter reports whether the version's OpenAPI document lacks the created filter of a list. Stripe accepts it in all versions, since it
// is optional (https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backward-compatible).
func (v version) lacksFilter(row *table.Stream) bool {
	return v.Version == schema.Oldest().Version && slices.Contains([]string{"checkout_sessions", "credit_notes", "radar_early_fraud_warnings"}, row.Name)
}

// lacks reports whether the version's OpenAPI document lacks the stream, which stripe-go v76.25.0 has.
func (v version) lacks(row *table.Stream) bool {
	if v.Version == schema.Newest().Version {
		return false
	}
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

func (v version) expectObjects(t *testing.T, row *table.Stream, path string, query url.Values) {
	t.Helper()
	page, err := v.client.List(t.Context(), path, query)
	if err != nil {
		t.Error(err)
		return
	}
	if objects := v.streams.Objects(row); len(page.Objects) == 0 || !slices.Contains(objects, page.Objects[0].Type) {
		t.Errorf("%s lists %+v, want %v", path, page.Objects, objects)
	}
}

// TestStripeMockRefuses shows that TestStripeMockAcceptsEveryRequest can fail.
func TestStripeMockRefuses(t *testing.T) {
	eachVersion(t, func(t *testing.T, v version) {
		for name, query := range map[string]url.Values{
			"unknown parameter": {"updated[gte]": {"1"}},
			"bad value":         {"limit": {"many"}},
		} {
			if _, err := v.client.List(t.Context(), "/v1/charges", query); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/charges", http.NoBody)
		request.Header.Set("Authorization", "Bearer sk_test_123")
		request.Header.Set("Stripe-Version", "2020-08-27")
		answer := httptest.NewRecorder()
		if stripeMock(t, v.Document).ServeHTTP(answer, request); answer.Code != http.StatusBadRequest {
			t.Errorf("another version: got %d", answer.Code)
		}
	})
}

// pathParameter matches a parameter in a path of the document.
var pathParameter = regexp.MustCompile(`{[^}]+}`)

// paths returns the paths of the OpenAPI document.
func (v version) paths(t *testing.T) map[string]struct{ Get *struct{} } {
	t.Helper()
	var document struct {
		Paths map[string]struct{ Get *struct{} }
	}
	if err := json.Unmarshal(v.Spec, &document); err != nil {
		t.Fatal(err)
	}
	return document.Paths
}

// scalarColumn matches the columns that are neither objects nor lists.
var scalarColumn = regexp.MustCompile(`(number|sex|place_of_birth)$`)

// TestStripeMockShowsExpandedColumns asks for every column that Stripe is said to show only if it is expanded.
func TestStripeMockShowsExpandedColumns(t *testing.T) {
	eachVersion(t, func(t *testing.T, v version) { v.expectExpanded(t) })
}

func (v version) expectExpanded(t *testing.T) {
	t.Helper()
	streams, client, asked := v.streams, v.client, 0
	for i := range streams {
		row := &streams[i]
		if row.Parent != "" || row.Single || v.lacks(row) {
			continue
		}
		for _, e := range streams.Fields(row).Includable() {
			if scalarColumn.MatchString(e.Path()) {
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
				t.Errorf("%s has no %s, although it was requested", row.Name, e.Path())
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d columns are to be expanded", asked)
	}
}
