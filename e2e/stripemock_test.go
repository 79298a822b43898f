package e2e

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	mock "github.com/stripe/stripe-mock/server"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// startStripeMock runs Stripe's own mock server, which validates each request against the OpenAPI document. It returns the
// server's address and a function that returns the requests it rejected.
func startStripeMock(t *testing.T, d openapi.Document) (string, func() []string) {
	t.Helper()
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
	var mu sync.Mutex
	var refused []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.Version == oldest && newerFilters.MatchString(r.URL.Path) {
			r.URL.RawQuery = createdFilter.ReplaceAllString(r.URL.RawQuery, "")
		}
		recorder := httptest.NewRecorder()
		stub.HandleRequest(recorder, r)
		if recorder.Code != http.StatusOK && (d.Version == newest || !newer.MatchString(r.URL.Path)) {
			mu.Lock()
			refused = append(refused, r.URL.String()+": "+recorder.Body.String())
			mu.Unlock()
		}
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string { mu.Lock(); defer mu.Unlock(); return refused }
}

// The versions of the oldest and the newest OpenAPI document.
const (
	oldest = "2022-11-15"
	newest = "2026-08-26.dahlia"
)

var (
	// newer matches the endpoints that only the newest document has, but stripe-go v76.25.0, too.
	newer = regexp.MustCompile(`^/v1/(billing/meters|entitlements/|forwarding/)`)
	// newerFilters matches the lists whose created filter is newer than the oldest document. Stripe accepts it in all versions.
	newerFilters  = regexp.MustCompile(`^/v1/(checkout/sessions|credit_notes|radar/early_fraud_warnings)$`)
	createdFilter = regexp.MustCompile(`created[^&]*&?`)
)

// noFixture says why stripe-mock has no object of a stream. Its requests are still made and validated.
var noFixture = map[string]string{
	"cards":                                "its list of sources has a bank account",
	"sources":                              "its list of sources has a bank account",
	"source_transactions":                  "its list of sources has a bank account",
	"external_account_cards":               "its list of external accounts has a bank account",
	"financial_connections_account_owners": "its account has no ownership",
	"events":                               "its event is of 2009, and events live 30 days",
	"customer_discounts " + oldest:         "its customer has no discount",
	"customer_discounts 2023-10-16":        "its customer has no discount",
	"invoice_payments":                     "its payment is of 2002, before the start date",
	"product_features":                     "its feature has no id",
	"invoice_discounts":                    "its invoice has no discounts",
	"subscription_discounts":               "its subscription has no discount",
	"setup_attempts":                       "its setup intent has no latest attempt",
}

// reasonOf returns why stripe-mock has no object of a stream in a version, or "" if it has one.
func reasonOf(version string, stream *connectorv1.Stream) string {
	if version != newest && newer.MatchString(pathOf(stream)) {
		return "newer than its document"
	}
	return cmp.Or(noFixture[stream.Name], noFixture[stream.Name+" "+version])
}

// pathOf returns the endpoint of a stream, which its description names.
func pathOf(stream *connectorv1.Stream) string {
	words := strings.Fields(strings.TrimSuffix(stream.Description, "."))
	return words[len(words)-1]
}

// TestStripeMock reads every stream of every API version from Stripe's own mock server. Each request must pass its validation, and
// each record must match the schema from Discover. One of Stripe's examples has a field that Stripe's document lacks.
func TestStripeMock(t *testing.T) {
	documents := openapi.Documents()
	if testing.Short() {
		documents = documents[len(documents)-1:]
	}
	for _, d := range documents {
		t.Run(d.Version, func(t *testing.T) { readStripeMock(t, d) })
	}
}

func readStripeMock(t *testing.T, d openapi.Document) {
	t.Helper()
	base, refused := startStripeMock(t, d)
	client := dial(t, serve(t, base, quick, io.Discard))
	config := configuration(t, map[string]any{"api_key": "sk_test_123", "api_base": base, "api_version": d.Version, "start_date": "2009-01-01", "max_requests_per_second": 10000})

	check, err := client.Check(t.Context(), &connectorv1.CheckRequest{Config: config})
	if err != nil || check.Status != connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED {
		t.Fatalf("check: %v, %v", check, err)
	}
	catalog, err := client.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range catalog.Streams {
		t.Run(stream.Name, func(t *testing.T) {
			all := read(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams(stream.Name)})
			skipped := all.summary != nil && all.summary.GetStreams()[0].GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_SKIPPED
			if all.err != nil && !skipped || all.summary == nil {
				t.Fatalf("the Read ended with %v, summary %v", all.err, all.summary)
			}
			records := all.records(stream.Name)
			if reason := reasonOf(d.Version, stream); (len(records) == 0) != (reason != "") {
				t.Fatalf("%d records, and the reason to have none is %q", len(records), reason)
			}
			drift := all.summary.GetStreams()[0].GetDrift()
			isOdd := func(f *connectorv1.NewField) bool {
				return stream.Name == "subscription_schedules" && f.GetPath() == "phases[].items[].plan"
			}
			if slices.IndexFunc(drift.GetNewFields(), func(f *connectorv1.NewField) bool { return !isOdd(f) }) >= 0 || len(drift.GetAbsentFields()) > 0 {
				t.Errorf("Stripe's own example differs from the schema: %v", drift)
			}
			schema := compile(t, stream)
			for _, record := range records {
				validate(t, schema, stream, record.Data)
			}
		})
	}
	for _, request := range refused() {
		t.Errorf("stripe-mock refused %s", request)
	}
}

func compile(t *testing.T, stream *connectorv1.Stream) *jsonschema.Schema {
	t.Helper()
	text, err := protojson.Marshal(stream.JsonSchema)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("stream.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("stream.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, stream *connectorv1.Stream, data string) {
	t.Helper()
	record, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(record); err != nil {
		t.Error(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data), &members); err != nil {
		t.Fatal(err)
	}
	for _, field := range stream.PrimaryKey {
		if value := string(members[field]); value == "" || value == "null" {
			t.Errorf("the primary key's %s is %q", field, value)
		}
	}
}
