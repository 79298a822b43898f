package table

import (
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Shape returns the schema of a stream's records: the schema of its objects plus the ids added to them.
func (t Table) Shape(row *Stream) schema.Schema {
	shape, ok := row.edition.Lookup(row.Object)
	if !ok {
		panic(fmt.Sprintf("no schema of %q in version %s", row.Object, row.edition.Version)) // a test looks up every row
	}
	if row.RowSchema != nil {
		shape = row.RowSchema(shape)
	}
	added := map[string]string{}
	if row.ParentField != "" {
		added[row.ParentField] = t.Find(row.Parent).Object
	}
	if row.AcrossField != "" {
		added[row.AcrossField] = t.Find(row.Across).Object
	}
	for field, object := range added {
		properties, _ := rawjson.Lookup(string(shape.JSON), "properties")
		if _, known := rawjson.Lookup(properties, field); known {
			continue
		}
		properties = rawjson.WithMember(properties, field, `{"type":"string"}`)
		shape.JSON = []byte(rawjson.WithMember(string(shape.JSON), "properties", properties))
		shape.Relations = append(shape.Relations, schema.Relation{Field: field, Objects: []string{object}})
	}
	return shape
}
