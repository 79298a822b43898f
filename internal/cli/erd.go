package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// printERD prints the streams of a catalog and their relations as an entity relationship diagram in Mermaid's
// language (https://mermaid.js.org/syntax/entityRelationshipDiagram.html). If names is not empty, only those streams
// are drawn.
func printERD(w io.Writer, streams []*connectorv1.Stream, names []string) error {
	var b strings.Builder
	b.WriteString("erDiagram\n")
	drawn := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	for _, stream := range streams {
		if !drawn(stream.Name) {
			continue
		}
		fmt.Fprintf(&b, "    %s {\n", stream.Name)
		for _, field := range stream.PrimaryKey {
			fmt.Fprintf(&b, "        %s %s PK\n", columnType(stream, field), field)
		}
		b.WriteString("    }\n")
		for _, relation := range stream.Relations {
			if drawn(relation.Stream) {
				fmt.Fprintf(&b, "    %s ||--o{ %s : %q\n", relation.Stream, stream.Name, relation.Field)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columnType returns the first non-null type of a field in the stream's schema.
func columnType(stream *connectorv1.Stream, field string) string {
	property := stream.JsonSchema.GetFields()["properties"].GetStructValue().GetFields()[field]
	declared := property.GetStructValue().GetFields()["type"]
	if name := declared.GetStringValue(); name != "" {
		return name
	}
	for _, name := range declared.GetListValue().GetValues() {
		if name.GetStringValue() != "null" {
			return name.GetStringValue()
		}
	}
	return "string"
}
