package main

import (
	"maps"
	"slices"
	"strings"
)

// relations returns a line for each field that holds the id of another object: the field, then the object types. The lines are
// sorted by field.
func relations(n *node) []string {
	found := map[string][]string{}
	addRelations(found, "", n)
	var lines []string
	for _, field := range slices.Sorted(maps.Keys(found)) {
		objects := slices.Clone(found[field])
		slices.Sort(objects)
		lines = append(lines, field+" "+strings.Join(objects, " "))
	}
	return lines
}

func addRelations(found map[string][]string, field string, n *node) {
	switch {
	case n.Expandable != nil:
		found[field] = n.Expandable
	case n.References != nil:
		found[field] = n.References
	case n.Object != nil:
		found[field+".id"] = n.Object
	}
	for name, property := range n.Properties {
		if name == "data" && n.list() && property.Items.Object != nil {
			continue // The items of an embedded list are children of the object, not relations.
		}
		addRelations(found, strings.TrimPrefix(field+"."+name, "."), property)
	}
	if n.Items != nil {
		addRelations(found, field+"[]", n.Items)
	}
	if n.AdditionalProperties != nil {
		addRelations(found, field+".*", n.AdditionalProperties)
	}
}
