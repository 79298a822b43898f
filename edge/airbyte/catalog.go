package airbyte

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
)

// catalog is what discover prints.
type catalog struct {
	Streams []catalogStream `json:"streams"`
}

type catalogStream struct {
	Name                    string          `json:"name"`
	JSONSchema              json.RawMessage `json:"json_schema"`
	SupportedSyncModes      []string        `json:"supported_sync_modes"`
	SourceDefinedCursor     bool            `json:"source_defined_cursor,omitempty"`
	DefaultCursorField      []string        `json:"default_cursor_field,omitempty"`
	SourceDefinedPrimaryKey [][]string      `json:"source_defined_primary_key,omitempty"`
	IsResumable             bool            `json:"is_resumable"`
}

// The sync modes.
const (
	fullRefresh = "full_refresh"
	incremental = "incremental"
)

// configuredCatalog is what the platform passes to read.
type configuredCatalog struct {
	Streams []configuredStream `json:"streams"`
}

type configuredStream struct {
	Stream struct {
		Name       string          `json:"name"`
		Namespace  string          `json:"namespace"`
		JSONSchema json.RawMessage `json:"json_schema"`
	} `json:"stream"`
	SyncMode string `json:"sync_mode"`

	// Rows of generations before the minimum are removed from the destination.
	Generation        int64 `json:"generation_id"`
	MinimumGeneration int64 `json:"minimum_generation_id"`
}

// columns returns the names of the selected columns; nil means all.
func (c *configuredStream) columns() []string {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(c.Stream.JSONSchema, &schema) != nil || schema.Properties == nil {
		return nil
	}
	names := []string{}
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// describe returns the catalog entry of a stream.
func describe(as Stream, of connector.Stream) (catalogStream, error) {
	schema, err := withColumns(of.JSONSchema, as.Columns)
	if err != nil {
		return catalogStream{}, fmt.Errorf("the schema of %s: %w", of.Name, err)
	}
	described := catalogStream{Name: as.Name, JSONSchema: schema, SupportedSyncModes: []string{fullRefresh}}
	for _, name := range as.Key {
		described.SourceDefinedPrimaryKey = append(described.SourceDefinedPrimaryKey, []string{name})
	}
	if as.Cursor != "" {
		described.SupportedSyncModes = append(described.SupportedSyncModes, incremental)
		described.SourceDefinedCursor, described.DefaultCursorField = true, []string{as.Cursor}
		described.IsResumable = true
	}
	return described, nil
}

// withColumns returns schema with columns added, in the draft of JSON Schema that Airbyte supports.
func withColumns(schema json.RawMessage, columns []Column) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(schema, &members); err != nil {
		return nil, err
	}
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(members["properties"], &properties); err != nil {
		return nil, err
	}
	for _, c := range columns {
		properties[c.Name] = json.RawMessage(fmt.Sprintf(`{"type":["null",%q]}`, c.Type))
	}
	all, err := json.Marshal(properties)
	if err != nil {
		return nil, err
	}
	members["properties"] = all
	members["$schema"] = json.RawMessage(`"http://json-schema.org/draft-07/schema#"`)
	delete(members, "required") // Airbyte's schemas have none: a deselected column is absent
	return json.Marshal(members)
}
