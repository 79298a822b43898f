package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

func ExampleEdition_Lookup() {
	charge, _ := schema.Oldest().Lookup("charge")
	for _, r := range charge.Relations[:4] {
		fmt.Println(r.Field, "->", r.Objects)
	}
	// Output:
	// application -> [application]
	// application_fee -> [application_fee]
	// balance_transaction -> [balance_transaction]
	// customer -> [customer]
}

func TestLookupUnknown(t *testing.T) {
	for _, object := range []string{"", "chargee", "deleted_customer", "../schema", "/charge", "charge.json"} {
		if s, ok := schema.Newest().Lookup(object); ok {
			t.Errorf("Lookup(%q) = %+v, want none", object, s)
		}
	}
}

func TestObjectsAreSortedAndFound(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectObjectsAreSortedAndFound(t, e) })
}

func expectObjectsAreSortedAndFound(t *testing.T, e schema.Edition) {
	t.Helper()
	objects := e.Objects()
	if !slices.IsSorted(objects) {
		t.Errorf("Objects() = %q, want them sorted", objects)
	}
	for _, object := range objects {
		if s, ok := e.Lookup(object); !ok || s.Object != object || len(s.JSON) == 0 {
			t.Errorf("Lookup(%q) = %+v, %t, want its schema", object, s, ok)
		}
	}
}

func TestMinified(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectMinified(t, e) })
}

func expectMinified(t *testing.T, e schema.Edition) {
	t.Helper()
	for _, object := range e.Objects() {
		got, _ := e.Lookup(object)
		var want bytes.Buffer
		if err := json.Compact(&want, got.JSON); err != nil {
			t.Errorf("%s: %v", object, err)
		}
		if !bytes.Equal(got.JSON, want.Bytes()) {
			t.Errorf("%s: the schema is not minified", object)
		}
	}
}

// TestTotalSize checks that a response with every schema stays far below the 4 MiB that gRPC clients accept by default.
func TestTotalSize(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectTotalSize(t, e) })
}

func expectTotalSize(t *testing.T, e schema.Edition) {
	t.Helper()
	const most = 1_000_000
	total := 0
	for _, object := range e.Objects() {
		s, _ := e.Lookup(object)
		total += len(s.JSON)
	}
	t.Logf("%d schemas, %d bytes", len(e.Objects()), total)
	if total > most {
		t.Errorf("all schemas have %d bytes, want at most %d", total, most)
	}
}

// TestOpen checks that no schema forbids properties that Stripe may add or the absence of those that field selection may omit.
func TestOpen(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectOpen(t, e) })
}

func expectOpen(t *testing.T, e schema.Edition) {
	t.Helper()
	allowed := []string{
		"$schema", "title", "type", "format", "const", "examples", "required", "properties", "items",
		"additionalProperties", "x-object", "x-expandable", "x-references", "x-optional", "x-includable",
	}
	for _, object := range e.Objects() {
		walk(lookup(t, e, object), "", func(path string, n node) {
			where := object + ":" + path
			for keyword := range n {
				if !slices.Contains(allowed, keyword) {
					t.Errorf("%s has the keyword %q", where, keyword)
				}
			}
			if len(n.types()) == 0 {
				t.Errorf("%s has no type", where)
			}
			if _, closed := n["additionalProperties"].(bool); closed {
				t.Errorf("%s has a boolean additionalProperties", where)
			}
			if required := n.strings("required"); required != nil && (path != "" || !slices.Equal(required, []string{"id"})) {
				t.Errorf("%s requires %q", where, required)
			}
			if n["const"] != nil && !strings.HasSuffix("."+path, ".object") {
				t.Errorf("%s has a const", where)
			}
		})
	}
}

// TestRelations checks that each relation is the path of a property that may hold a string, or of an embedded object with its
// own schema, and that the annotations of each schema correspond to relations.
func TestRelations(t *testing.T) {
	eachEdition(t, func(t *testing.T, e schema.Edition) { expectRelations(t, e) })
}

func expectRelations(t *testing.T, e schema.Edition) {
	t.Helper()
	for _, object := range e.Objects() {
		want := map[string][]string{}
		walk(lookup(t, e, object), "", func(path string, n node) {
			switch {
			case n["x-expandable"] != nil:
				want[path] = n.strings("x-expandable")
			case n["x-references"] != nil:
				want[path] = n.strings("x-references")
			case n["x-object"] != nil && !strings.HasSuffix(path, "data[]"):
				want[path+".id"] = n.strings("x-object")
			}
		})
		s, _ := e.Lookup(object)
		got := map[string][]string{}
		for _, r := range s.Relations {
			got[r.Field] = r.Objects
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s has other relations than its schema says (-want +got):\n%s", object, diff)
		}
		byField := func(a, b schema.Relation) int { return strings.Compare(a.Field, b.Field) }
		if !slices.IsSortedFunc(s.Relations, byField) {
			t.Errorf("%s: the relations are not sorted: %v", object, s.Relations)
		}
	}
}

// TestKnownFacts checks facts from Stripe's documentation, so that a mistake in the rules is found even if the generator and the
// other tests agree on it.
func TestKnownFacts(t *testing.T) {
	e := schema.Oldest()
	for path, want := range map[string]string{
		"charge:amount":             `{"type":"integer"}`,
		"charge:object":             `{"const":"charge","type":"string"}`,
		"charge:created":            `{"format":"unix-time","type":"integer"}`,
		"charge:customer":           `{"type":["string","object","null"],"x-expandable":["customer"]}`,
		"charge:payment_method":     `{"type":["string","null"],"x-references":["payment_method"]}`,
		"charge:metadata":           `{"additionalProperties":{"type":"string"},"type":"object"}`,
		"charge:refunds.data[]":     `{"type":"object","x-object":["refund"]}`,
		"customer:sources.data[]":   `{"type":"object","x-object":["bank_account","card","source"]}`,
		"invoice:lines.object":      `{"const":"list","type":"string"}`,
		"invoice:discounts[]":       `{"type":["string","object"],"x-expandable":["discount"]}`,
		"price:unit_amount_decimal": `{"format":"decimal","type":["string","null"]}`,
		"subscription_item:created": `{"format":"unix-time","type":"integer"}`,
		"subscription_item:price":   `{"type":"object","x-object":["price"]}`,
		"event:data.object":         `{"type":"object"}`,
		"billing.meter:updated":     `{"format":"unix-time","type":"integer"}`,
	} {
		object, property, _ := strings.Cut(path, ":")
		got := "nothing"
		walk(lookup(t, e, object), "", func(path string, n node) {
			if path == property {
				b, _ := json.Marshal(n)
				got = string(b)
			}
		})
		if got != want {
			t.Errorf("%s is\n%s, want\n%s", path, got, want)
		}
	}
}

func TestOptional(t *testing.T) {
	e := schema.Oldest()
	for path, want := range map[string]bool{
		"charge:refunds":                     true,
		"charge:customer":                    false,
		"charge:amount":                      false,
		"charge:payment_method_details.card": true,
		"customer:sources":                   true,
		"customer:cash_balance":              true,
		"customer:email":                     false,
		"invoice:id":                         false,
		"invoice:lines":                      false,
		"price:tiers":                        true,
		"source:customer":                    true,
		"subscription:items":                 false,
	} {
		object, property, _ := strings.Cut(path, ":")
		found := false
		walk(lookup(t, e, object), "", func(path string, n node) {
			if path != property {
				return
			}
			found = true
			if got := n["x-optional"] == true; got != want {
				t.Errorf("%s:%s is optional: %t, want %t", object, path, got, want)
			}
		})
		if !found {
			t.Errorf("there is no %s", path)
		}
	}
}

func BenchmarkLookupAll(b *testing.B) {
	e := schema.Newest()
	objects := e.Objects()
	b.ReportAllocs()
	for b.Loop() {
		for _, object := range objects {
			if _, ok := e.Lookup(object); !ok {
				b.Fatal(object)
			}
		}
	}
}

// TestVersions checks that each version belongs to exactly one edition, and that versions are in order of time.
func TestVersions(t *testing.T) {
	versions := schema.Versions()
	if !slices.IsSorted(versions) || len(slices.Compact(slices.Clone(versions))) != len(versions) {
		t.Errorf("Versions() = %q, want each once, in order", versions)
	}
	for _, version := range versions {
		if e, ok := schema.Of(version); !ok || e.Version < version {
			t.Errorf("Of(%q) = %v, %t, want an edition of the same time or later", version, e, ok)
		}
	}
	for _, version := range []string{"", "2019-02-19", "2026-08-26", "2026-08-26.preview", "account"} {
		if e, ok := schema.Of(version); ok {
			t.Errorf("Of(%q) = %v, want none", version, e)
		}
	}
}

// TestShapesDiffer checks facts about what changed between versions, from Stripe's changelog, so that a mix-up of documents is
// noticed.
func TestShapesDiffer(t *testing.T) {
	for path, want := range map[string]string{ // property -> the editions that have it
		"invoice:charge":                       "2022-11-15 2023-10-16",
		"invoice:rendering_options":            "2022-11-15",
		"invoice:rendering":                    "2023-10-16 2026-08-26.dahlia",
		"invoice:parent":                       "2026-08-26.dahlia",
		"invoice:customer":                     "2022-11-15 2023-10-16 2026-08-26.dahlia",
		"subscription:current_period_end":      "2022-11-15 2023-10-16",
		"subscription_item:current_period_end": "2026-08-26.dahlia",
		"promotion_code:coupon":                "2022-11-15 2023-10-16",
		"promotion_code:promotion":             "2026-08-26.dahlia",
	} {
		object, property, _ := strings.Cut(path, ":")
		var got []string
		for _, e := range schema.Editions() {
			if lookup(t, e, object).properties()[property] != nil {
				got = append(got, e.Version)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is in %q, want %q", path, got, want)
		}
	}
}
