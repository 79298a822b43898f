package takeover_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
)

// singerShape returns the schema of a stream of the tap, and the function that makes its rows.
func singerShape(t testing.TB, stream string, selected map[string]bool) ([]byte, takeover.RowFunc) {
	t.Helper()
	tap, _, err := takeover.NewSinger([]byte(`{"client_secret":"sk_test_1","start_date":"2020-01-01"}`), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tap.Streams() {
		if s.Name == stream {
			_, schema, row := s.Shape(selected)
			return schema, row
		}
	}
	t.Fatalf("there is no stream %s", stream)
	return nil, nil
}

// TestSingerRows checks how values are converted to the types of their columns.
func TestSingerRows(t *testing.T) {
	const end = `,"updated":"2026-03-01T12:00:00.000000Z","updated_by_event_type":null}`
	tests := map[string]struct {
		stream, data string
		want         string // without the end
		misfit       string
		selected     map[string]bool
	}{
		"times":             {"charges", `{"id":"1","created":1764367526}`, `{"id":"1","created":"2025-11-28T22:05:26.000000Z"`, "", nil},
		"no time":           {"charges", `{"id":"1","created":""}`, `{"id":"1","created":null`, "", nil},
		"text time":         {"charges", `{"id":"1","created":"2025-11-28T23:05:26+01:00"}`, `{"id":"1","created":"2025-11-28T22:05:26.000000Z"`, "", nil},
		"no such time":      {"charges", `{"id":"1","created":1e300}`, `{"id":"1","created":null`, "created", nil},
		"unknown columns":   {"charges", `{"x":1,"id":"1","y":{"z":[]},"amount":5,"w":null}`, `{"id":"1","amount":5`, "", nil},
		"only unknown":      {"charges", `{"x":1,"id":"1"}`, `{"id":"1"`, "", nil},
		"escaped names":     {"charges", `{"\u0069d":"1","am\u006funt":5}`, `{"\u0069d":"1","am\u006funt":5`, "", nil},
		"nested times":      {"charges", `{"id":"1","source":{"created":0,"x":0}}`, `{"id":"1","source":{"created":"1970-01-01T00:00:00.000000Z","x":0}`, "", nil},
		"lists":             {"charges", `{"id":"1","refunds":{"object":"list","data":[{"created":1},{}],"has_more":false}}`, `{"id":"1","refunds":[{"created":"1970-01-01T00:00:01.000000Z"},{}]`, "", nil},
		"lists anywhere":    {"charges", `{"id":"1","card":{"a":[{"b":{"data":[1,{"object":"list","data":[]}],"object":"list"}}]}}`, `{"id":"1","card":{"a":[{"b":[1,[]]}]}`, "", nil},
		"a list in name":    {"charges", `{"id":"1","card":{"a":"\"object\":\"list\"","object":"list"}}`, `{"id":"1","card":{"a":"\"object\":\"list\"","object":"list"}`, "", nil},
		"integers":          {"charges", `{"id":"1","amount":"1,234","amount_captured":2.0,"amount_refunded":""}`, `{"id":"1","amount":1234,"amount_captured":2,"amount_refunded":null`, "", nil},
		"not an integer":    {"charges", `{"id":"1","amount":2.5}`, `{"id":"1","amount":null`, "amount", nil},
		"not a boolean":     {"charges", `{"id":"1","captured":"yes"}`, `{"id":"1","captured":null`, "captured", nil},
		"objects as text":   {"charges", `{"id":"1","customer":{"id":"cus_1"},"invoice":7,"review":true}`, `{"id":"1","customer":"{\"id\":\"cus_1\"}","invoice":"7","review":"true"`, "", nil},
		"not an object":     {"charges", `{"id":"1","outcome":"won"}`, `{"id":"1","outcome":null`, "outcome", nil},
		"decimals":          {"plans", `{"id":"1","amount_decimal":12.50}`, `{"id":"1","amount_decimal":"12.50"`, "", nil},
		"not a decimal":     {"plans", `{"id":"1","amount_decimal":[]}`, `{"id":"1","amount_decimal":null`, "amount_decimal", nil},
		"ids":               {"invoices", `{"id":"1","lines":{"object":"list","data":[{"id":"il_1","x":1},{"id":"il_2"}]}}`, `{"id":"1","lines":["il_1","il_2"]`, "", nil},
		"no ids":            {"invoices", `{"id":"1","lines":{"object":"list","data":[]}}`, `{"id":"1","lines":null`, "", nil},
		"an own updated":    {"products", `{"id":"1","updated":5,"updated_by_event_type":"x"}`, `{"id":"1"`, "", nil},
		"deselected":        {"charges", `{"id":"1","amount":5,"outcome":{"type":"x","reason":"y"}}`, `{"id":"1","outcome":{"reason":"y"}`, "", map[string]bool{"amount": false, "outcome.type": false, "id": false}},
		"all nested ones":   {"charges", `{"id":"1","outcome":{"type":"x"}}`, `{"id":"1","outcome":{}`, "", map[string]bool{"outcome.type": false}},
		"nested in arrays":  {"charges", `{"id":"1","refunds":[{"id":"re_1","amount":1}]}`, `{"id":"1","refunds":[{"amount":1}]`, "", map[string]bool{"refunds.id": false}},
		"an unknown nested": {"charges", `{"id":"1","metadata":{"a":"1","b":"2"}}`, `{"id":"1","metadata":{"b":"2"}`, "", map[string]bool{"metadata.a": false}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, row := singerShape(t, test.stream, test.selected)
			got, misfit, err := row([]byte("before"), &connector.Record{Data: test.data, AsOf: now, Operation: connector.Upsert})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("before"+test.want+end, string(got)); diff != "" || misfit != test.misfit {
				t.Errorf("misfit %q, want %q (-want +got):\n%s", misfit, test.misfit, diff)
			}
		})
	}
}

// TestSingerDeletions checks the rows of deleted objects.
func TestSingerDeletions(t *testing.T) {
	_, row := singerShape(t, "customers", map[string]bool{"updated": false})
	for want, record := range map[string]connector.Record{
		`{"id":"cus_1","name":"A","updated_by_event_type":"customer.deleted"}`: {Data: `{"id":"cus_1"}`, Last: `{"id":"cus_1","name":"A"}`, EventType: "customer.deleted"},
		`{"id":"cus_2","updated_by_event_type":"customer.deleted"}`:            {Data: `{"id":"cus_2"}`, EventType: "customer.updated"}, // it was gone when it was read
		`{"id":"cus_3","updated_by_event_type":"customer.deleted"}`:            {Data: `{"id":"cus_3"}`},
	} {
		record.Operation = connector.Delete
		if got, _, err := row(nil, &record); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// TestSingerRowsNeedTheirKey checks that an object without the table's key is refused by name.
func TestSingerRowsNeedTheirKey(t *testing.T) {
	_, row := singerShape(t, "invoice_line_items", nil)
	for _, data := range []string{`{"id":"il_1"}`, `{"id":"il_1","invoice":null}`, `{}`} {
		got, _, err := row([]byte("x"), &connector.Record{Data: data, Key: "il_1"})
		failure, ok := connector.FailureIn(err)
		if !ok || failure.Class != connector.SourceData || !strings.Contains(failure.Message, "il_1") || string(got) != "x" {
			t.Errorf("%s: got %q, %v", data, got, err)
		}
	}
}

// FuzzSingerRow checks that any object becomes a row that is valid JSON, and valid by the schema of its stream.
func FuzzSingerRow(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","created":1764367526,"refunds":{"object":"list","data":[{"created":1}]},"amount":"7"}`,
		`{"id":"1","source":{"created":"x"},"card":[{"object":"list","data":[[],{"object":"list"}]}],"outcome":{},"metadata":[]}`,
		`{"id":"1","billing_details":{"address":{"city":1}},"payment_method_details":{"card":{"exp_month":"12"}},"paid":0}`,
		`{"a\"b":"\\","id":"1","refunds":[1,"2",null,true,{}],"created":-1,"currency":{"x":["y"]}}`,
	} {
		f.Add([]byte(seed))
	}
	text, row := singerShape(f, "charges", map[string]bool{"outcome.type": false, "status": false, "refunds.id": false})
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		f.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.AssertFormat()
	if err := c.AddResource("charges.json", document); err != nil {
		f.Fatal(err)
	}
	schema, err := c.Compile("charges.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var compact bytes.Buffer
		var object map[string]any
		if json.Unmarshal(data, &object) != nil || object == nil || json.Compact(&compact, data) != nil || strings.Count(compact.String(), `"id"`) > 8 {
			return
		}
		got, _, err := row(nil, &connector.Record{Data: compact.String(), AsOf: time.Unix(1, 0), Operation: connector.Upsert})
		if err != nil {
			return // without a key
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
		if err != nil {
			t.Fatalf("%s became %s: %v", compact.String(), got, err)
		}
		if err := schema.Validate(value); err != nil {
			t.Fatalf("%s became %s: %v", compact.String(), got, err)
		}
	})
}
