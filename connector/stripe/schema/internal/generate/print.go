package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// text renders a schema with one property per line. The only white space outside strings is line breaks and the tabs that
// follow them, so removing those yields the minified form.
func text(n *node) ([]byte, error) {
	var b bytes.Buffer
	if err := write(&b, n, 0); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func write(b *bytes.Buffer, n *node, depth int) error {
	keywords, err := marshal(n)
	if err != nil {
		return err
	}
	b.Write(bytes.TrimSuffix(keywords, []byte("}")))
	if n.Items != nil {
		b.WriteString(`,"items":`)
		if err := write(b, n.Items, depth); err != nil {
			return err
		}
	}
	if n.AdditionalProperties != nil {
		b.WriteString(`,"additionalProperties":`)
		if err := write(b, n.AdditionalProperties, depth); err != nil {
			return err
		}
	}
	if n.Properties != nil {
		if err := writeProperties(b, n, depth); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeProperties(b *bytes.Buffer, n *node, depth int) error {
	b.WriteString(`,"properties":{`)
	for i, name := range slices.Sorted(maps.Keys(n.Properties)) {
		if i > 0 {
			b.WriteByte(',')
		}
		newline(b, depth+1)
		key, err := marshal(name)
		if err != nil {
			return err
		}
		b.Write(key)
		b.WriteByte(':')
		if err := write(b, n.Properties[name], depth+1); err != nil {
			return err
		}
	}
	newline(b, depth)
	b.WriteByte('}')
	return nil
}

func newline(b *bytes.Buffer, depth int) {
	b.WriteByte('\n')
	b.WriteString(strings.Repeat("\t", depth))
}

// marshal is like json.Marshal but does not escape <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
