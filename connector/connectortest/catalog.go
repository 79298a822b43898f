package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6" // covers all of draft 2020-12, and is what the other tests use

	"github.com/stripe-connector/stripe-connector/connector"
)

// stream is a stream of the catalog, with the validator of its records.
type stream struct {
	connector.Stream
	schema *jsonschema.Schema

	mu     sync.Mutex
	judged map[string]bool // records that matched the schema
}

// checkCatalog judges Spec and Discover alone. Records are compared with them as they arrive.
func checkCatalog(ctx context.Context, t *trial) {
	t.spec = t.source.Spec()
	t.findSecrets(t.spec)
	if t.spec.Source == "" || len(t.spec.SyncModes) == 0 {
		t.broke("spec", "the Spec names no source or no sync mode: %+v", t.spec)
	}
	if schema, err := compile(t.spec.ConfigSchema); err != nil {
		t.broke("spec", "the schema of the configuration is invalid: %v", err)
	} else if err := schema.Validate(decoded(configText(t.options.Config))); err != nil {
		t.broke("spec", "a valid configuration does not match its schema: %v", err)
	}
	catalog, err := t.source.Discover(ctx, connector.DiscoverRequest{Config: t.options.Config})
	if err != nil {
		t.broke("errors", "Discover failed: %v", err)
		return
	}
	t.findSecrets(catalog)
	for _, source := range []connector.Source{t.source, t.fresh()} {
		again, err := source.Discover(ctx, connector.DiscoverRequest{Config: t.options.Config})
		if err != nil || jsonOf(catalog) != jsonOf(again) {
			t.broke("stable-catalog", "two calls of Discover differ: %v\n%s", err, cmp.Diff(catalog, again))
		}
	}
	for _, s := range catalog.Streams {
		t.judgeStream(catalog, s)
	}
	result, err := t.source.Check(ctx, connector.CheckRequest{Config: t.options.Config})
	t.findSecrets(err)
	t.findSecrets(result)
	if err != nil || len(result.Problems) > 0 {
		t.broke("check", "Check rejects the configuration in the options: %v, %s", err, jsonOf(result.Problems))
	}
	t.selectStreams(catalog)
}

// judgeStream judges the catalog's entry of one stream.
func (t *trial) judgeStream(catalog connector.Catalog, s connector.Stream) {
	named := func(name string) int {
		n := 0
		for _, other := range catalog.Streams {
			if other.Name == name {
				n++
			}
		}
		return n
	}
	switch {
	case s.Name == "" || named(s.Name) != 1:
		t.broke("unique-streams", "the catalog has %d streams named %q", named(s.Name), s.Name)
	case len(s.PrimaryKey) == 0:
		t.broke("primary-key", "%s has none", s.Name)
	case s.Parent != "" && (s.Parent == s.Name || named(s.Parent) == 0):
		t.broke("parent", "the parent of %s is %q, which is not in the catalog", s.Name, s.Parent)
	case (s.Parent == "") != (s.ParentField == ""):
		t.broke("parent-field", "%s has parent %q but parent field %q", s.Name, s.Parent, s.ParentField)
	case len(s.SyncModes) == 0 || slices.ContainsFunc(s.SyncModes, func(m connector.SyncMode) bool { return !slices.Contains(t.spec.SyncModes, m) }):
		t.broke("sync-modes", "%s supports %v, but the Spec says %v", s.Name, s.SyncModes, t.spec.SyncModes)
	}
	for _, r := range s.Relations {
		to := slices.IndexFunc(catalog.Streams, func(other connector.Stream) bool { return other.Name == r.Stream })
		if to < 0 || !slices.Contains(catalog.Streams[to].PrimaryKey, r.ForeignField) {
			t.broke("relations", "%s of %s should hold %s of %s, which is not a key in the catalog", r.Field, s.Name, r.ForeignField, r.Stream)
		}
	}
	t.judgeSchema(s)
}

// judgeSchema judges the schema of one stream.
func (t *trial) judgeSchema(s connector.Stream) {
	if _, err := compile(s.JSONSchema); err != nil {
		t.broke("schema", "that of %s: %v", s.Name, err)
		return
	}
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Additional json.RawMessage            `json:"additionalProperties"`
	}
	if err := json.Unmarshal(s.JSONSchema, &schema); err != nil || schema.Properties == nil || string(schema.Additional) == "false" {
		t.broke("schema", "the schema of %s has no properties, or is closed", s.Name)
		return
	}
	names := func(path string) bool {
		top, _, _ := strings.Cut(path, ".")
		return schema.Properties[top] != nil
	}
	for _, path := range s.PrimaryKey {
		if !names(path) {
			t.broke("primary-key", "the schema of %s does not contain %s", s.Name, path)
		}
	}
	if s.ParentField != "" && !names(s.ParentField) {
		t.broke("parent-field", "the schema of %s does not contain %s", s.Name, s.ParentField)
	}
}

// selectStreams selects the streams named in the options, or all of the catalog.
func (t *trial) selectStreams(catalog connector.Catalog) {
	t.streams = nil
	for _, s := range catalog.Streams {
		if len(t.options.Streams) > 0 && !slices.Contains(t.options.Streams, s.Name) {
			continue
		}
		schema, err := compile(s.JSONSchema)
		if err != nil {
			continue // reported already
		}
		t.streams = append(t.streams, &stream{Stream: s, schema: schema, judged: map[string]bool{}})
	}
	for _, name := range t.options.Streams {
		if t.stream(name) == nil {
			t.broke("stable-catalog", "the options name stream %q, which is not in the catalog", name)
		}
	}
	if len(t.streams) == 0 {
		t.broke("stable-catalog", "there are no streams to read")
	}
}

// compile makes a validator of a JSON Schema.
func compile(text []byte) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	const name = "mem:///schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource(name, document); err != nil {
		return nil, err
	}
	return compiler.Compile(name)
}

// judge compares a record with the catalog, and returns its key. Partial records have selected fields only.
func (s *stream) judge(t *trial, record connector.Record, partial bool) (key string, ok bool) {
	value := decoded([]byte(record.Data))
	switch record.Operation {
	case connector.Upsert:
		s.matchSchema(t, record.Data, value, partial)
	case connector.Delete, connector.DeleteMatching:
		if !s.EmitsDeletes {
			t.broke("emits-deletes", "%s sent a DELETE, but the catalog says that it never does", s.Name)
		}
	default:
		t.broke("record-data", "a record of %s has operation %d", s.Name, record.Operation)
		return "", false
	}
	if record.Operation == connector.DeleteMatching {
		if s.ParentField == "" || lookup(value, s.ParentField) == nil {
			t.broke("parent-field", "a DELETE_MATCHING of %s is %.100s, without the parent field %q", s.Name, record.Data, s.ParentField)
		}
		return "", true
	}
	for _, path := range s.PrimaryKey {
		if lookup(value, path) == nil {
			t.broke("primary-key", "a record of %s lacks %s: %.100s", s.Name, path, record.Data)
			return "", false
		}
	}
	if record.Operation == connector.Upsert && !partial && s.ParentField != "" && lookup(value, s.ParentField) == nil {
		t.broke("parent-field", "a record of %s lacks %s: %.100s", s.Name, s.ParentField, record.Data)
	}
	return s.key(value), true
}

func (s *stream) matchSchema(t *trial, data string, value any, partial bool) {
	if partial { // it may lack required fields
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judged[data] {
		return
	}
	s.judged[data] = true
	if err := s.schema.Validate(value); err != nil {
		t.broke("schema", "a record of %s does not match its schema: %v", s.Name, err)
	}
}

// key returns the primary key of a record, as Rows has it.
func (s *stream) key(value any) string {
	parts := make([]string, len(s.PrimaryKey))
	for i, path := range s.PrimaryKey {
		parts[i] = fmt.Sprint(lookup(value, path))
	}
	return strings.Join(parts, "/")
}

// lookup returns the value at a path such as "billing.email", or nil.
func lookup(value any, path string) any {
	for _, name := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}
