package schema

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd" // linked in anyway, for gRPC; a tenth of the size of the text
)

//go:generate go run ./internal/generate

//go:embed schemas.json.zst
var packed []byte

// files returns the generated files by path: "objects/2023-10-16/charge.json". They are decompressed on first use.
var files = sync.OnceValue(func() map[string]string {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(fmt.Sprintf("schema: %v", err))
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		panic(fmt.Sprintf("schema: schemas.json.zst is damaged: %v", err)) // generated, and tested
	}
	var files map[string]string
	if err := json.Unmarshal(text, &files); err != nil {
		panic(fmt.Sprintf("schema: schemas.json.zst is damaged: %v", err))
	}
	return files
})

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

// minify removes line breaks and the tabs that follow them. The generator writes no other white space outside strings, and its
// strings contain neither.
func minify(text string) json.RawMessage {
	out := make(json.RawMessage, 0, len(text))
	for i := range len(text) {
		if c := text[i]; c != '\n' && c != '\t' {
			out = append(out, c)
		}
	}
	return out
}

// relations parses lines of a field and its object types. An object type without relations has no file.
func relations(folder, object string) []Relation {
	var relations []Relation
	for line := range strings.Lines(files()["relations/"+folder+"/"+object+".txt"]) {
		words := strings.Fields(line)
		relations = append(relations, Relation{Field: words[0], Objects: words[1:]})
	}
	return relations
}
