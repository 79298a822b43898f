package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestPrintERD(t *testing.T) {
	schema, err := structpb.NewStruct(map[string]any{"properties": map[string]any{
		"id": map[string]any{"type": "string"}, "n": map[string]any{"type": []any{"null", "integer"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	streams := []*connectorv1.Stream{
		{Name: "charges", JsonSchema: schema, PrimaryKey: []string{"id"}, Relations: []*connectorv1.Relation{
			{Field: "customer", Stream: "customers", ForeignField: "id"},
			{Field: "items[].price", Stream: "prices", ForeignField: "id"},
		}},
		{Name: "customers", JsonSchema: schema, PrimaryKey: []string{"id", "n", "elsewhere"}},
		{Name: "prices", JsonSchema: schema, PrimaryKey: []string{"id"}},
	}
	const charges, customers, prices = "    charges {\n        string id PK\n    }\n",
		"    customers {\n        string id PK\n        integer n PK\n        string elsewhere PK\n    }\n",
		"    prices {\n        string id PK\n    }\n"
	tests := map[string]struct {
		names []string
		want  string
	}{
		"all":  {nil, charges + "    customers ||--o{ charges : \"customer\"\n    prices ||--o{ charges : \"items[].price\"\n" + customers + prices},
		"some": {[]string{"charges", "customers"}, charges + "    customers ||--o{ charges : \"customer\"\n" + customers},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := printERD(&b, streams, test.names); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("erDiagram\n"+test.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
