package cli

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// printLine writes a message as one line of JSON. It removes the white space, which protojson deliberately varies
// between builds.
func printLine(w io.Writer, m proto.Message) error {
	return printAs(w, m, func(v *jsontext.Value) error { return v.Compact(jsontext.AllowInvalidUTF8(true)) })
}

// printLines writes a message as indented JSON.
func printLines(w io.Writer, m proto.Message) error {
	return printAs(w, m, func(v *jsontext.Value) error { return v.Indent(jsontext.WithIndent("  ")) })
}

// printAs writes a message as JSON, formatted by form.
func printAs(w io.Writer, m proto.Message, form func(*jsontext.Value) error) error {
	content, err := protojson.Marshal(m)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	value := jsontext.Value(content)
	if err := form(&value); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = w.Write(append(value, '\n'))
	return err
}
