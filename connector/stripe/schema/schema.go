package schema

import (
	"embed"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
)

//go:generate go run ./internal/generate

//go:embed objects relations
var files embed.FS

// Schema describes one Stripe object type.
type Schema struct {
	// Object is Stripe's name for the type, which is the value of the object property: "charge", "issuing.card".
	Object string
	// JSON is the minified JSON Schema (draft 2020-12). The caller owns it.
	JSON json.RawMessage
	// Relations are the fields that hold ids of other objects, sorted by Field.
	Relations []Relation
}

// Relation is a field that holds the id of another object.
type Relation struct {
	// Field is the path of the id: property names joined by dots, with [] after a property to mean its items and * for the
	// values of a map with arbitrary keys. Examples are "customer", "transfer_data.destination", "discounts[]" and
	// "tax_rates[].id". If Stripe embeds the whole object, the path ends in ".id". An expandable field that was expanded
	// holds the object instead of the id.
	//
	// Items of an embedded list are children of the object that embeds them, so their ids are not relations.
	Field string
	// Objects are the object types that the id may belong to, sorted. A deleted object keeps its type. Some types, such as
	// "application", cannot be listed and have no schema.
	Objects []string
}

// Lookup returns the schema of an object type, and reports whether it exists. It parses the embedded text on each call, and is
// safe for concurrent use.
func Lookup(object string) (Schema, bool) {
	text, err := files.ReadFile("objects/" + object + ".json")
	if err != nil {
		return Schema{}, false
	}
	return Schema{Object: object, JSON: minify(text), Relations: relations(object)}, true
}

// Objects returns the object types with a schema, sorted.
func Objects() []string {
	// Glob fails only on a malformed pattern.
	paths, _ := fs.Glob(files, "objects/*.json")
	objects := make([]string, 0, len(paths))
	for _, path := range paths {
		objects = append(objects, strings.TrimSuffix(strings.TrimPrefix(path, "objects/"), ".json"))
	}
	slices.Sort(objects)
	return objects
}

// minify removes line breaks and the tabs that follow them. The generator writes no other white space outside strings, and its
// strings contain neither.
func minify(text []byte) json.RawMessage {
	out := make(json.RawMessage, 0, len(text))
	for _, c := range text {
		if c != '\n' && c != '\t' {
			out = append(out, c)
		}
	}
	return out
}

// relations parses lines of a field and its object types. An object type without relations has no file.
func relations(object string) []Relation {
	text, err := files.ReadFile("relations/" + object + ".txt")
	if err != nil {
		return nil
	}
	var relations []Relation
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		relations = append(relations, Relation{Field: words[0], Objects: words[1:]})
	}
	return relations
}
