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
	// Object is Stripe's name of the type: the value of the object property, such as "charge" or "issuing.card".
	Object string
	// JSON is the JSON Schema (draft 2020-12), minified. The caller owns it.
	JSON json.RawMessage
	// Relations are the fields that hold the ids of other objects, sorted by Field.
	Relations []Relation
}

// Relation says that a field holds the id of another object.
type Relation struct {
	// Field is the path of the id: property names joined by dots, with [] after a property whose items are meant and *
	// for the values of a map whose keys are not known. "customer", "transfer_data.destination", "discounts[]" and
	// "tax_rates[].id" are such paths. Where Stripe embeds the whole object, the path ends in ".id". Where the field is
	// expandable and was expanded, it holds the object instead of the id.
	//
	// The items of an embedded list are children of the object that embeds them, so their ids are not relations.
	Field string
	// Objects are the object types that the id may belong to, sorted. A deleted object keeps its type. Some of the types
	// cannot be listed, such as "application", and have no schema.
	Objects []string
}

// Lookup returns the schema of an object type, and reports whether there is one. It reads the embedded text on each call, and is
// safe for concurrent use.
func Lookup(object string) (Schema, bool) {
	text, err := files.ReadFile("objects/" + object + ".json")
	if err != nil {
		return Schema{}, false
	}
	return Schema{Object: object, JSON: minify(text), Relations: relations(object)}, true
}

// Objects returns the object types that have a schema, sorted.
func Objects() []string {
	// The pattern is well-formed, which is all that Glob can complain about.
	paths, _ := fs.Glob(files, "objects/*.json")
	objects := make([]string, 0, len(paths))
	for _, path := range paths {
		objects = append(objects, strings.TrimSuffix(strings.TrimPrefix(path, "objects/"), ".json"))
	}
	slices.Sort(objects)
	return objects
}

// minify removes the line breaks and the tabs that follow them. The generator writes no other white space, and JSON
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

// relations reads lines of a field and its object types. An object type without relations has no file.
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
