package stripe

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stripe/stripe-mock/embedded"
	mock "github.com/stripe/stripe-mock/server"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
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

// TestStripeMockAcceptsEveryRequest sends what each row asks for: the first page, a later page, a page of one parent.
func TestStripeMockAcceptsEveryRequest(t *testing.T) {
	server := httptest.NewServer(stripeMock())
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := api.New(api.Options{Key: "sk_test_123", Base: server.URL, Transport: api.ReadOnly(transport), Retry: api.Retry{Budget: 1}})
	r := &run{client: client}

	source := testSource()
	for i := range source.streams {
		row := &source.streams[i]
		t.Run(row.Name, func(t *testing.T) {
			if row.Parent != "" {
				for _, after := range []string{"", "x_1"} {
					path, query := row.list("parent_1")
					if after != "" {
						query.Set("starting_after", after)
					}
					expectObjects(t, client, row, path, query)
				}
				return
			}
			p := &pass{root: row}
			for _, w := range []window{{From: 1, To: 2}, {From: 1, To: 2, After: "x_1", At: 1}} {
				if _, err := r.page(t.Context(), p, w); err != nil {
					t.Error(err)
				}
			}
			path, query := row.list("")
			expectObjects(t, client, row, path, query)
		})
	}
}

func expectObjects(t *testing.T, client *api.Client, row *stream, path string, query url.Values) {
	t.Helper()
	page, err := client.List(t.Context(), path, query)
	if err != nil {
		t.Error(err)
		return
	}
	if len(page.Objects) == 0 || page.Objects[0].Type != row.Object {
		t.Errorf("%s lists %+v, want a %s", path, page.Objects, row.Object)
	}
}

// TestStripeMockRefuses shows that the test above can fail.
func TestStripeMockRefuses(t *testing.T) {
	server := httptest.NewServer(stripeMock())
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := api.New(api.Options{Key: "sk_test_123", Base: server.URL, Transport: transport, Retry: api.Retry{Budget: 1}})
	for name, query := range map[string]url.Values{
		"unknown parameter": {"updated[gte]": {"1"}},
		"bad value":         {"limit": {"many"}},
	} {
		if _, err := client.List(t.Context(), "/v1/charges", query); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
