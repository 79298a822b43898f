package stripetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// TestObjectsFitTheirSchemas validates every object of a small account, with every expansion of embedded lists.
func TestObjectsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, e := range schema.Editions() {
		t.Run(e.Version, func(t *testing.T) { expectFit(t, e) })
	}
}

func expectFit(t *testing.T, e schema.Edition) {
	t.Helper()
	schemas := map[string]*jsonschema.Schema{}
	s := New(fixed())
	n := 0
	for _, account := range []*Account{s.Account, s.Connected(s.ConnectedAccounts()[0])} {
		for _, path := range account.Paths() {
			if !slices.ContainsFunc(s.model.routes, func(r route) bool { return r.path == path && r.isIn(e) }) {
				continue
			}
			for id, text := range account.TruthIn(e.Version, path) {
				object := decode[struct{ Object string }](t, text).Object
				if schemas[object] == nil {
					schemas[object] = compile(t, e, object)
				}
				v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				if err != nil {
					t.Fatalf("%s: %s: %v", path, id, err)
				}
				if err := schemas[object].Validate(v); err != nil {
					t.Errorf("%s: %s: %v", path, id, err)
				}
				n++
			}
		}
	}
	if n < 2000 || len(schemas) != len(e.Objects()) {
		t.Errorf("%d objects of %d types were validated; there are schemas of %d types", n, len(schemas), len(e.Objects()))
	}
}

func compile(t testing.TB, e schema.Edition, object string) *jsonschema.Schema {
	t.Helper()
	s, ok := e.Lookup(object)
	if !ok {
		t.Fatalf("no schema of %s", object)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.JSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(object+".json", v); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(object + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestIDsPointToObjects follows every relation in the schemas, for every object.
func TestIDsPointToObjects(t *testing.T) {
	t.Parallel()
	s := New(fixed())
	objects := map[string]json.RawMessage{}
	for _, path := range s.Paths() {
		for id, text := range s.Truth(path) {
			objects[id] = text
		}
	}
	followed, missing, schemas := 0, map[string]int{}, map[string]schema.Schema{}
	for id, text := range objects {
		object := decode[struct{ Object string }](t, text).Object
		known, ok := schemas[object]
		if !ok {
			known, _ = schema.Oldest().Lookup(object)
			schemas[object] = known
		}
		v := decode[any](t, text)
		for _, relation := range known.Relations {
			for _, target := range follow(v, relation.Field) {
				if !listable(s, relation.Objects) {
					continue
				}
				if objects[target] == nil {
					missing[fmt.Sprintf("%s.%s, as in %s: %s", known.Object, relation.Field, id, target)]++
				}
				followed++
			}
		}
	}
	if followed < 5000 {
		t.Errorf("only %d relations were followed", followed)
	}
	for what := range missing {
		t.Errorf("points to nothing: %s", what)
	}
}

func listable(s *Stripe, objects []string) bool {
	return slices.ContainsFunc(objects, func(object string) bool { return s.model.kindOf(object) != "" })
}

// follow returns the ids at a path of property names, with [] for arrays and * for maps.
func follow(v any, path string) []string {
	if path == "" {
		if id, ok := v.(string); ok {
			return []string{id}
		}
		return nil
	}
	name, rest, _ := strings.Cut(path, ".")
	name, array := strings.CutSuffix(name, "[]")
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if name == "*" {
		var ids []string
		for _, item := range m {
			ids = append(ids, follow(item, rest)...)
		}
		return ids
	}
	if !array {
		return follow(m[name], rest)
	}
	items, _ := m[name].([]any)
	var ids []string
	for _, item := range items {
		ids = append(ids, follow(item, rest)...)
	}
	return ids
}

// TestRelationsFitTogether checks that relations that lead to the same object in two ways agree.
func TestRelationsFitTogether(t *testing.T) {
	s := New(fixed())
	type object struct {
		Customer, Invoice, Subscription string
		PaymentIntent                   string `json:"payment_intent"`
		Charge                          string
		Created                         int64
	}
	read := func(path string) map[string]object {
		m := map[string]object{}
		for id, text := range s.Truth(path) {
			m[id] = decode[object](t, text)
		}
		return m
	}
	charges, intents, invoices, subscriptions := read("/v1/charges"), read("/v1/payment_intents"), read("/v1/invoices"), read("/v1/subscriptions")
	for id, charge := range charges {
		if intent, ok := intents[charge.PaymentIntent]; ok && (intent.Customer != charge.Customer || intent.Invoice != charge.Invoice) {
			t.Errorf("%s: %+v, its payment intent %+v", id, charge, intent)
		}
	}
	for id, intent := range intents {
		if invoice, ok := invoices[intent.Invoice]; ok && (invoice.Customer != intent.Customer || invoice.Created > intent.Created) {
			t.Errorf("%s: %+v, its invoice %+v", id, intent, invoice)
		}
	}
	for id, invoice := range invoices {
		if subscription, ok := subscriptions[invoice.Subscription]; ok && subscription.Customer != invoice.Customer {
			t.Errorf("%s: %+v, its subscription %+v", id, invoice, subscription)
		}
		if charge, ok := charges[invoice.Charge]; ok && charge.Invoice != id {
			t.Errorf("%s: its charge %s is of another invoice, %s", id, invoice.Charge, charge.Invoice)
		}
	}
	for id, refund := range read("/v1/refunds") {
		if charge := charges[refund.Charge]; charge.PaymentIntent != refund.PaymentIntent || charge.Created > refund.Created {
			t.Errorf("%s: %+v, its charge %+v", id, refund, charge)
		}
	}
}

// TestFilters compares filtered lists with the results of an independent filter.
func TestFilters(t *testing.T) {
	t.Parallel()
	s := New(fixed())
	for _, c := range []struct{ path, filter, property string }{
		{"/v1/charges", "customer", "customer"}, {"/v1/charges", "payment_intent", "payment_intent"},
		{"/v1/invoices", "subscription", "subscription"}, {"/v1/invoices", "status", "status"}, {"/v1/refunds", "charge", "charge"},
		{"/v1/subscriptions", "status", "status"}, {"/v1/products", "active", "active"}, {"/v1/prices", "type", "type"},
		{"/v1/prices", "currency", "currency"}, {"/v1/customers", "email", "email"}, {"/v1/payment_methods", "customer", "customer"},
		{"/v1/subscription_items", "subscription", "subscription"}, {"/v1/balance_transactions", "source", "source"},
		{"/v1/radar/value_list_items", "value_list", "value_list"}, {"/v1/subscription_schedules", "customer", "customer"},
	} {
		want, source := map[string][]string{}, c.path
		if c.path == "/v1/payment_methods" {
			source = "/v1/customers/{customer}/payment_methods"
		}
		for id, text := range s.Truth(source) {
			if v := decode[map[string]any](t, text)[c.property]; v != nil {
				value := fmt.Sprint(v)
				want[value] = append(want[value], id)
			}
		}
		if len(want) < 2 {
			t.Errorf("%s: %s has only the values %v", c.path, c.filter, want)
		}
		for value, ids := range want {
			got, _ := readAll(t, s, c.path, c.filter+"="+strings.ReplaceAll(value, "+", "%2B"), "100")
			slices.Sort(got)
			slices.Sort(ids)
			if !slices.Equal(got, ids) {
				t.Errorf("%s?%s=%s: %v, want %v", c.path, c.filter, value, got, ids)
			}
		}
	}
}

// TestExpansion compares expanded properties with the objects they refer to.
func TestExpansion(t *testing.T) {
	s := New(fixed())
	expanded := 0
	for _, text := range fetch[page](t, s, "/v1/charges?limit=100&expand[]=data.customer&expand[]=data.invoice.subscription&expand[]=data.payment_intent").Data {
		charge := decode[struct {
			Customer, Invoice json.RawMessage
			PaymentIntent     json.RawMessage `json:"payment_intent"`
		}](t, text)
		for path, object := range map[string]json.RawMessage{"/v1/customers/": charge.Customer, "/v1/payment_intents/": charge.PaymentIntent,
			"/v1/invoices/": charge.Invoice} {
			if string(object) == "null" {
				continue
			}
			query := ""
			if path == "/v1/invoices/" {
				query = "?expand[]=subscription"
			}
			want := call(t, s, path+idOf(t, object)+query).Body.Bytes()
			if compact(t, object) != compact(t, want) {
				t.Fatalf("%s: %s\nwant %s", path, compact(t, object), compact(t, want))
			}
			expanded++
		}
	}
	if expanded < 100 {
		t.Errorf("only %d objects were expanded", expanded)
	}
}

// A kind with fixed ids, such as countries, cannot have more objects than ids, whatever the options say.
func TestMoreObjectsThanFixedIDs(t *testing.T) {
	t.Parallel()
	s := New(Options{Objects: map[string]int{"*": 60}})
	for _, path := range []string{"/v1/climate/orders", "/v1/climate/products", "/v1/country_specs", "/v1/exchange_rates"} {
		n := 0
		for range s.Truth(path) {
			n++
		}
		if n == 0 || n > 60 {
			t.Errorf("%s has %d objects", path, n)
		}
	}
}
