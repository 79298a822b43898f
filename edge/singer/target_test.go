package singer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// target applies Singer messages to tables, in order, as a target does: a record replaces the row with its key. It checks each
// message by the rules of Singer's tools.
type target struct {
	unchecked bool // records aren't validated
	schemas   map[string]*jsonschema.Schema
	texts     map[string]json.RawMessage // of the schemas
	decoded   map[string]map[string]any  // their properties
	keys      map[string][]string
	tables    map[string]map[string]map[string]any // by stream and key
	records   int
	state     json.RawMessage // of the last STATE
	last      string          // type of the last message
	wrong     []string
}

func newTarget() *target {
	return &target{schemas: map[string]*jsonschema.Schema{}, texts: map[string]json.RawMessage{}, decoded: map[string]map[string]any{}, keys: map[string][]string{}, tables: map[string]map[string]map[string]any{}}
}

func (t *target) complain(format string, args ...any) {
	t.wrong = append(t.wrong, fmt.Sprintf(format, args...))
}

// Write applies whole lines.
func (t *target) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			t.complain("a message has no line break")
		}
		t.apply(line)
	}
	return len(text), nil
}

// apply applies one message.
func (t *target) apply(line []byte) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields() // version among them, which must not be sent
	decoder.UseNumber()
	var m struct {
		Type      string          `json:"type"`
		Stream    string          `json:"stream"`
		Schema    json.RawMessage `json:"schema"`
		Key       []string        `json:"key_properties"`
		Record    map[string]any  `json:"record"`
		Extracted *time.Time      `json:"time_extracted"`
		Value     json.RawMessage `json:"value"`
	}
	if err := decoder.Decode(&m); err != nil {
		t.complain("%v in %.200s", err, line)
		return
	}
	t.last = m.Type
	switch m.Type {
	case "SCHEMA":
		t.declare(m.Stream, m.Schema, m.Key)
	case "RECORD":
		if m.Extracted == nil {
			t.complain("a record of %s has no time_extracted", m.Stream)
		}
		t.record(m.Stream, m.Record)
	case "STATE":
		t.state = bytes.Clone(m.Value)
	default:
		t.complain("a message is of type %q", m.Type)
	}
}

func (t *target) declare(stream string, text json.RawMessage, key []string) {
	schema, err := compiled(text)
	if err != nil {
		t.complain("the schema of %s: %v", stream, err)
		return
	}
	if !bytes.Equal(text, t.texts[stream]) {
		delete(t.decoded, stream)
	}
	t.schemas[stream], t.texts[stream], t.keys[stream] = schema, bytes.Clone(text), key
	if t.tables[stream] == nil {
		t.tables[stream] = map[string]map[string]any{}
	}
}

func (t *target) record(stream string, row map[string]any) {
	t.records++
	schema := t.schemas[stream]
	if schema == nil {
		t.complain("a record of %s comes before its schema", stream)
		return
	}
	if !t.unchecked {
		if err := schema.Validate(row); err != nil {
			t.complain("%s: %.800v", stream, err)
		}
	}
	var key []string
	for _, name := range t.keys[stream] {
		value, ok := row[name].(string)
		if !ok || value == "" {
			t.complain("%s: a row has no %s", stream, name)
		}
		key = append(key, value)
	}
	t.tables[stream][strings.Join(key, " ")] = row
}

// compiledSchemas holds schemas by their text.
var compiledSchemas sync.Map

// compiled compiles a schema of draft 4, whose formats are checked.
func compiled(text json.RawMessage) (*jsonschema.Schema, error) {
	if known, ok := compiledSchemas.Load(string(text)); ok {
		return known.(*jsonschema.Schema), nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.AssertFormat()
	if err := c.AddResource("stream.json", document); err != nil {
		return nil, err
	}
	schema, err := c.Compile("stream.json")
	if err == nil {
		compiledSchemas.Store(string(text), schema)
	}
	return schema, err
}
