package table

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Difference lists how the fields of a stream change from one edition to another. It doesn't list the fields below one that is gone
// or new.
type Difference struct {
	Gone, New []string // paths, sorted; [] after a name means the items of an array
	Changed   []string // paths of fields of another type
}

// IsEmpty reports whether nothing changes.
func (d Difference) IsEmpty() bool { return len(d.Gone)+len(d.New)+len(d.Changed) == 0 }

// Compare returns how the fields of a stream change from one edition to another. If one of them lacks the stream, the Difference is
// empty.
func Compare(name string, from, to schema.Edition) Difference {
	before, after := Streams(from), Streams(to)
	old, young := before.Find(name), after.Find(name)
	if old == nil || young == nil {
		return Difference{}
	}
	var d Difference
	d.compare("", before.Fields(old).root, after.Fields(young).root)
	return d
}

// CompareSchemas returns how the fields change from one JSON Schema of a stream to another.
func CompareSchemas(from, to []byte) (Difference, error) {
	var before, after property
	if err := json.Unmarshal(from, &before); err != nil {
		return Difference{}, fmt.Errorf("decode the first schema: %w", err)
	}
	if err := json.Unmarshal(to, &after); err != nil {
		return Difference{}, fmt.Errorf("decode the second schema: %w", err)
	}
	var d Difference
	d.compare("", before, after)
	return d, nil
}

func (d *Difference) compare(path string, before, after property) {
	if path != "" && before.kind() != after.kind() {
		d.Changed = append(d.Changed, path)
	}
	if before.Items != nil && after.Items != nil {
		d.compare(path+"[]", *before.Items, *after.Items)
	}
	all := maps.Clone(before.Properties)
	if all == nil {
		all = map[string]property{}
	}
	maps.Copy(all, after.Properties)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		old, was := before.Properties[name]
		young, is := after.Properties[name]
		at := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case !is:
			d.Gone = append(d.Gone, at)
		case !was:
			d.New = append(d.New, at)
		default:
			d.compare(at, old, young)
		}
	}
}

// kind returns what a receiver needs to know about the values of a property. Whether it may be null isn't part of that.
func (p property) kind() string {
	types := slices.DeleteFunc(slices.Clone(p.Type), func(name string) bool { return name == "null" })
	return strings.Join(types, " ") + " " + strings.Join(p.Expandable, " ") + " " + strings.Join(p.Objects, " ")
}
