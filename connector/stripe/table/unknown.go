package table

import (
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// Unknown calls visit with the path of each field of a record that the schema doesn't have. Fields below such a field, and below
// objects that have a schema of their own, aren't visited. A path names an array's items with [].
func (f Fields) Unknown(record string, visit func(path string)) { f.root.unknown("", record, visit) }

func (p property) unknown(path, value string, visit func(string)) {
	switch {
	case strings.HasPrefix(value, "[") && p.Items != nil:
		for item := range rawjson.Elements(value) {
			p.Items.unknown(path+"[]", item, visit)
		}
	case strings.HasPrefix(value, "{") && !p.open():
		for name, member := range rawjson.Members(value) {
			at := strings.TrimPrefix(path+"."+name, ".")
			if below, known := p.Properties[name]; known {
				below.unknown(at, member, visit)
			} else {
				visit(at)
			}
		}
	}
}

// Always returns the names of the fields that every record should have, sorted.
func (f Fields) Always() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.root.Properties)) {
		if p := f.root.Properties[name]; !p.Optional && p.Includable == "" {
			names = append(names, name)
		}
	}
	return names
}
