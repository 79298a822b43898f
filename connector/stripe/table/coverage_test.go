package table

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/openapi"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// notStreams lists the list endpoints that are not streams, with the reasons.
var notStreams = map[string]string{
	"/v1/charges/search":         "search returns what the list contains, with a delay",
	"/v1/customers/search":       "search returns what the list contains, with a delay",
	"/v1/invoices/search":        "search returns what the list contains, with a delay",
	"/v1/payment_intents/search": "search returns what the list contains, with a delay",
	"/v1/prices/search":          "search returns what the list contains, with a delay",
	"/v1/products/search":        "search returns what the list contains, with a delay",
	"/v1/subscriptions/search":   "search returns what the list contains, with a delay",

	"/v1/credit_notes/preview/lines": "a preview of lines that don't exist yet",
	"/v1/invoices/upcoming/lines":    "a preview of lines that don't exist yet",

	"/v1/accounts/{}/people":             "another name for persons",
	"/v1/balance/history":                "another name for balance_transactions",
	"/v1/charges/{}/refunds":             "a subset of refunds",
	"/v1/customers/{}/bank_accounts":     "a subset of the endpoint of bank_accounts, cards and sources",
	"/v1/customers/{}/cards":             "a subset of the endpoint of bank_accounts, cards and sources",
	"/v1/customers/{}/subscriptions":     "a subset of subscriptions",
	"/v1/linked_accounts":                "another name for financial_connections_accounts",
	"/v1/linked_accounts/{}/owners":      "another name for financial_connections_account_owners",
	"/v1/tax/calculations/{}/line_items": "Stripe doesn't list the calculations that have these items",
	"/v1/tax/transactions/{}/line_items": "Stripe doesn't list the tax transactions that have these items",
}

// newerThanDocument lists the list endpoints of stripe-go v76.25.0 that are not in the older OpenAPI documents yet.
var newerThanDocument = []string{
	"/v1/billing/meters", "/v1/billing/meters/{}/event_summaries", "/v1/entitlements/active_entitlements",
	"/v1/entitlements/features", "/v1/forwarding/requests",
}

var pathParameter = regexp.MustCompile(`\{[^}]*\}`)

// document is the part of an OpenAPI document of Stripe's that these tests read.
type document struct {
	version string
	edition schema.Edition
	Paths   map[string]struct {
		Get struct {
			Parameters []struct{ Name string }
			Responses  map[string]struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]json.RawMessage
					}
				}
			}
		}
		Post struct {
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]struct{ Items struct{ Enum []string } }
					}
				}
			}
		}
	}
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct{ Enum []any }
		}
	}
}

// eachDocument runs a test for the streams and the OpenAPI document of each edition.
func eachDocument(t *testing.T, test func(t *testing.T, streams Table, d document)) {
	t.Helper()
	for _, source := range openapi.Documents() {
		t.Run(source.Version, func(t *testing.T) {
			d := document{version: source.Version}
			if err := json.Unmarshal(source.Spec, &d); err != nil {
				t.Fatal(err)
			}
			edition, ok := schema.Of(source.Version)
			if !ok {
				t.Fatalf("no edition has the version %s", source.Version)
			}
			d.edition = edition
			test(t, Streams(edition), d)
		})
	}
}

// lists returns the document's list endpoints, with each path parameter replaced by {}.
func (d document) lists() []string {
	var paths []string
	for path, operations := range d.Paths {
		answer := operations.Get.Responses["200"].Content["application/json"].Schema.Properties
		if answer["data"] != nil && answer["has_more"] != nil {
			paths = append(paths, pathParameter.ReplaceAllString(path, "{}"))
		}
	}
	return paths
}

// TestEveryListEndpointIsAStream takes the list endpoints from the OpenAPI documents. Each must have a row, or a reason for not
// having one.
func TestEveryListEndpointIsAStream(t *testing.T) {
	count := map[string]int{"2022-11-15": 108, "2023-10-16": 119, "2026-08-26.dahlia": 131}
	known := map[string]bool{}
	eachDocument(t, func(t *testing.T, streams Table, d document) {
		lists := d.lists()
		if len(lists) != count[d.version] {
			t.Errorf("the document has %d list endpoints, want %d", len(lists), count[d.version])
		}
		if d.edition.Version < dahlia {
			lists = append(lists, newerThanDocument...)
		}
		rows := map[string]bool{}
		for _, row := range streams {
			if !row.Single && !row.Inline {
				rows[pathParameter.ReplaceAllString(row.Path, "{}")] = true
			}
		}
		for _, path := range lists {
			known[path] = true
			reason := notStreams[path]
			if rows[path] == (reason != "") {
				t.Errorf("%s: row %v, reason %q; want exactly one of them", path, rows[path], reason)
			}
			delete(rows, path)
		}
		for path := range rows {
			t.Errorf("%s is not a list endpoint", path)
		}
	})
	for path := range notStreams {
		if !known[path] {
			t.Errorf("there is a reason for %s, which is not a list endpoint", path)
		}
	}
}

// TestObjectsOutsideOfLists checks that the endpoints of a single object are in the document, and that objects without a list
// endpoint have listed parents.
func TestObjectsOutsideOfLists(t *testing.T) {
	eachDocument(t, func(t *testing.T, streams Table, d document) {
		known := map[string]bool{}
		for path, operations := range d.Paths {
			known[pathParameter.ReplaceAllString(path, "{}")] = operations.Get.Responses != nil
		}
		for _, row := range streams {
			switch {
			case row.Single && !known[pathParameter.ReplaceAllString(row.Path, "{}")]:
				t.Errorf("%s: there is no endpoint %s", row.Name, row.Path)
			case row.Inline && (row.Embedded == "" || row.Path != streams.Find(row.Parent).Path):
				t.Errorf("%s is not in the objects of %s", row.Name, row.Path)
			}
		}
	})
}

// newerFilters lists the streams whose created filter is not in the oldest OpenAPI document yet. An optional parameter is accepted in all
// versions (https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backward-compatible).
var newerFilters = []string{"checkout_sessions", "credit_notes", "radar_early_fraud_warnings"}

// TestCursorsAreFilters compares Stream.Cursor and Stream.Unpaged with the parameters in the documents.
func TestCursorsAreFilters(t *testing.T) {
	eachDocument(t, func(t *testing.T, streams Table, d document) {
		for _, row := range streams {
			operations, ok := d.Paths[row.Path]
			if row.Parent != "" || row.Single || !ok {
				continue
			}
			filtered := slices.ContainsFunc(operations.Get.Parameters, func(p struct{ Name string }) bool { return p.Name == "created" })
			filtered = filtered || d.edition.Version == schema.Oldest().Version && slices.Contains(newerFilters, row.Name)
			limited := slices.ContainsFunc(operations.Get.Parameters, func(p struct{ Name string }) bool { return p.Name == "limit" })
			if filtered != (row.Cursor != "") || limited == row.Unpaged {
				t.Errorf("%s: the document has a created filter: %v, a limit: %v", row.Name, filtered, limited)
			}
		}
	})
}

// TestEditionsHaveDocuments checks that there is a document for each edition, and none without one.
func TestEditionsHaveDocuments(t *testing.T) {
	var documents []string
	for _, d := range openapi.Documents() {
		documents = append(documents, d.Version)
	}
	for i, e := range schema.Editions() {
		if i >= len(documents) || documents[i] != e.Version {
			t.Fatalf("the editions are %v, the documents %v", schema.Editions(), documents)
		}
	}
	if len(documents) != len(schema.Editions()) {
		t.Errorf("the editions are %v, the documents %v", schema.Editions(), documents)
	}
}

// TestBoundsAreEditions checks that rows change only where an edition begins.
func TestBoundsAreEditions(t *testing.T) {
	begins := func(version string) bool {
		return slices.ContainsFunc(schema.Editions(), func(e schema.Edition) bool { return e.Version == version })
	}
	for _, row := range rows() {
		for _, version := range []string{row.Since, row.Until} {
			if version != "" && !begins(version) {
				t.Errorf("%s: no edition begins with %s", row.Name, version)
			}
		}
		for _, r := range row.Revised {
			if !begins(r.Since) {
				t.Errorf("%s: no edition begins with %s", row.Name, r.Since)
			}
		}
	}
}

// eventsOfNoStream lists the event types whose objects no endpoint lists, and those that announce no change of a row: that an
// alert was triggered, for example.
var eventsOfNoStream = regexp.MustCompile(`^(account\.application|balance|order|recipient|sku|balance_settings|billing\.alert|billing_portal\.session|cash_balance|financial_connections\.authorization|mandate|reserve\.[a-z]+|tax\.settings)\.[a-z_]+$|^source\.mandate_notification$`)

// TestEveryEventIsOfAStream compares Stream.Events and Stream.Deleted with the event types in the documents.
func TestEveryEventIsOfAStream(t *testing.T) {
	eachDocument(t, func(t *testing.T, streams Table, d document) {
		types := d.events(t)
		// Older and newer than the oldest document.
		undocumented := []string{"entitlements.active_entitlement_summary.updated", "invoiceitem.updated"}
		used := map[string]bool{}
		for _, row := range streams {
			for _, pattern := range append(slices.Clone(row.Events), row.Deleted...) {
				matched := false
				for _, name := range types {
					if matchEvent(pattern, name) {
						matched, used[name] = true, true
					}
				}
				if !matched && !slices.Contains(undocumented, pattern) {
					t.Errorf("%s: no event type matches %q", row.Name, pattern)
				}
			}
			for _, pattern := range row.Deleted {
				if !strings.HasSuffix(pattern, ".deleted") && pattern != "payment_method.detached" {
					t.Errorf("%s: %q doesn't look like a deletion", row.Name, pattern)
				}
			}
		}
		for _, name := range types {
			if used[name] == eventsOfNoStream.MatchString(name) {
				t.Errorf("%s: of a stream %v, of none %v; want exactly one of them", name, used[name], !used[name])
			}
		}
	})
}

// events returns all event types, namely those that webhook endpoints can subscribe to.
func (d document) events(t *testing.T) []string {
	t.Helper()
	types := slices.Clone(d.Paths["/v1/webhook_endpoints"].Post.RequestBody.Content["application/x-www-form-urlencoded"].Schema.Properties["enabled_events"].Items.Enum)
	types = slices.DeleteFunc(types, func(name string) bool { return name == "*" })
	if len(types) < 200 {
		t.Fatalf("the document has %d event types", len(types))
	}
	return types
}

func TestMatchEvent(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"charge.*", "charge.refunded", true},
		{"charge.*", "charge.dispute.created", false},
		{"charge.*", "charges.created", false},
		{"customer.deleted", "customer.deleted", true},
		{"customer.deleted", "customer.updated", false},
	} {
		if got := matchEvent(test.pattern, test.name); got != test.want {
			t.Errorf("matchEvent(%q, %q) = %v", test.pattern, test.name, got)
		}
	}
}

func TestIDsAreEscaped(t *testing.T) {
	streams := Streams(schema.Newest())
	at := Place{}
	at.Parent.ID, at.Parent.Raw = "a b/c?d", `{"id":"a b/c?d"}`
	path, _ := streams.Find("invoice_line_items").List(at)
	if want := "/v1/invoices/a%20b%2Fc%3Fd/lines"; path != want {
		t.Errorf("got %s, want %s", path, want)
	}
	_, query := streams.Find("setup_attempts").List(at)
	if want := (url.Values{"limit": {"100"}, "setup_intent": {"a b/c?d"}}).Encode(); query.Encode() != want {
		t.Errorf("got %s, want %s", query.Encode(), want)
	}
}
