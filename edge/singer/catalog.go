package singer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
)

// catalogStream is a stream in a catalog that is printed.
type catalogStream struct {
	ID       string          `json:"tap_stream_id"`
	Name     string          `json:"stream"`
	Schema   json.RawMessage `json:"schema,omitempty"`
	Key      []string        `json:"key_properties"`
	Metadata []metadata      `json:"metadata"`
}

// metadata describes a stream if the breadcrumb is empty, and otherwise a column, as in ["properties", "amount"].
type metadata struct {
	Breadcrumb []string      `json:"breadcrumb"`
	Metadata   metadataWords `json:"metadata"`
}

// metadataWords are the keywords of https://github.com/singer-io/getting-started/blob/master/docs/DISCOVERY_MODE.md#metadata.
type metadataWords struct {
	Inclusion         string          `json:"inclusion,omitempty"`
	SelectedByDefault *bool           `json:"selected-by-default,omitempty"`
	Selected          json.RawMessage `json:"selected,omitempty"`
	TableKey          []string        `json:"table-key-properties,omitempty"`
	ReplicationKeys   []string        `json:"valid-replication-keys,omitempty"`
	Forced            string          `json:"forced-replication-method,omitempty"`
}

// The values of inclusion.
const (
	automatic   = "automatic"
	available   = "available"
	unsupported = "unsupported"
)

// discover prints the catalog, one stream per line. Streams that the key may not read are marked as unsupported.
func (r *Runner) discover(ctx context.Context, config connector.Config) error {
	if _, err := r.Source.Discover(ctx, connector.DiscoverRequest{Config: config}); err != nil { // refuses an invalid configuration
		return err
	}
	refused, err := r.refused(ctx, config)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for i, s := range r.Streams {
		text, err := json.Marshal(describe(s, refused[s.Source]))
		if err != nil {
			return fmt.Errorf("write the catalog: %w", err)
		}
		out.WriteString([]string{`{"streams": [`, ","}[min(i, 1)] + "\n")
		out.Write(text)
	}
	out.WriteString("\n]}\n")
	if _, err := r.Stdout.Write(out.Bytes()); err != nil {
		return &OutputError{err}
	}
	return nil
}

// refused returns the default streams that the key may not read. If Stripe refuses the key itself, that is an error.
func (r *Runner) refused(ctx context.Context, config connector.Config) (map[string]bool, error) {
	var names []string
	for _, s := range r.Streams {
		if s.Default {
			names = append(names, s.Source)
		}
	}
	result, err := r.Source.Check(ctx, connector.CheckRequest{Config: config, Streams: names})
	if err != nil {
		return nil, err
	}
	for _, problem := range result.Problems {
		if problem.Class == connector.PermissionError {
			continue // reported below, for each stream
		}
		if problem.Class == connector.RateLimit || problem.Class == connector.Transient {
			r.Log.Warn("Can't determine which streams the key may read. " + problem.Message)
			return nil, nil
		}
		return nil, problem
	}
	refused := map[string]bool{}
	for _, s := range result.Streams {
		if s.Availability == connector.Unavailable {
			refused[s.Stream] = true
			r.Log.Warn(fmt.Sprintf("The key may not read %s. %s", s.Stream, s.Reason.Message))
		}
	}
	return refused, nil
}

// describe returns the catalog's entry of a stream.
func describe(s Stream, refused bool) catalogStream {
	schema, isDefault := s.Columns()
	inclusion := available
	if refused {
		inclusion = unsupported
	}
	c := catalogStream{ID: s.Name, Name: s.Name, Schema: schema, Key: s.Key, Metadata: []metadata{{[]string{}, metadataWords{
		Inclusion: inclusion, SelectedByDefault: new(s.Default && !refused), TableKey: s.Key, ReplicationKeys: s.Replication, Forced: "INCREMENTAL",
	}}}}
	for _, name := range slices.Sorted(maps.Keys(isDefault)) {
		words := metadataWords{Inclusion: available, SelectedByDefault: new(isDefault[name])}
		if slices.Contains(s.Key, name) || slices.Contains(s.Replication, name) {
			words = metadataWords{Inclusion: automatic}
		}
		c.Metadata = append(c.Metadata, metadata{[]string{"properties", name}, words})
	}
	return c
}

// parseCatalog returns the streams that a catalog selects, in its order. The error is a *connector.Failure.
func (r *Runner) parseCatalog(text []byte) ([]*output, error) {
	if text == nil {
		return nil, nil
	}
	var c struct {
		Streams *[]struct {
			ID       string `json:"tap_stream_id"`
			Name     string `json:"stream"`
			Selected *bool  `json:"selected"`
			Schema   struct {
				Selected *bool `json:"selected"`
			} `json:"schema"`
			Metadata []metadata `json:"metadata"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(text, &c); err != nil || c.Streams == nil {
		detail := ""
		if err != nil {
			detail = ": " + strings.TrimPrefix(err.Error(), "json: ")
		}
		return nil, connector.Invalid(connector.Violation{Field: "catalog", Description: `must be an object with "streams", as --discover prints it` + detail + "."})
	}
	var selected []*output
	var wrong []connector.Violation
	for i, entry := range *c.Streams {
		name := entry.ID
		if name == "" {
			name = entry.Name
		}
		at := fmt.Sprintf("catalog.streams[%d]", i)
		isSelected, columns, problems := selection(at, entry.Metadata)
		wrong = append(wrong, problems...)
		if isSelected == nil {
			isSelected = entry.Selected
		}
		if isSelected == nil {
			isSelected = entry.Schema.Selected
		}
		if isSelected == nil || !*isSelected {
			continue
		}
		at += ".tap_stream_id"
		n := slices.IndexFunc(r.Streams, func(s Stream) bool { return s.Name == name })
		switch {
		case n < 0:
			wrong = append(wrong, connector.Violation{Field: at, Description: fmt.Sprintf("is %q, which is not a stream. --discover lists all streams.", shorten(name))})
			continue
		case slices.ContainsFunc(selected, func(o *output) bool { return o.Name == name }):
			wrong = append(wrong, connector.Violation{Field: at, Description: fmt.Sprintf("names %q more than once: name each stream once.", name)})
			continue
		}
		o := &output{Stream: r.Streams[n]}
		o.fields, o.json, o.row = o.Shape(columns)
		selected = append(selected, o)
	}
	if wrong != nil {
		return nil, connector.Invalid(wrong...)
	}
	return selected, nil
}

// shorten truncates a name that is too long for a message.
func shorten(name string) string {
	if len(name) > 100 {
		return strings.ToValidUTF8(name[:100], "") + "…"
	}
	return name
}

// selection returns whether metadata selects the stream, or nil if it doesn't say, and which columns it selects or deselects.
// Properties of nested objects are joined by dots.
func selection(at string, all []metadata) (stream *bool, columns map[string]bool, wrong []connector.Violation) {
	columns = map[string]bool{}
	for i, m := range all {
		selected, ok := parseSelected(m.Metadata.Selected)
		if !ok {
			wrong = append(wrong, connector.Violation{Field: fmt.Sprintf("%s.metadata[%d].selected", at, i), Description: "must be true or false."})
			continue
		}
		if len(m.Breadcrumb) == 0 {
			stream = selected
			continue
		}
		if selected == nil || m.Metadata.Inclusion == automatic {
			continue
		}
		if path := pathOf(m.Breadcrumb); path != "" {
			columns[path] = *selected
		}
	}
	return stream, columns, wrong
}

// parseSelected parses the value of selected, which some runners write as a string. It returns nil if there is none.
func parseSelected(raw json.RawMessage) (selected *bool, ok bool) {
	switch strings.ToLower(string(raw)) {
	case "", "null":
		return nil, true
	case "true", `"true"`:
		return new(true), true
	case "false", `"false"`, `""`:
		return new(false), true
	}
	return nil, false
}

// pathOf returns the names of a breadcrumb such as ["properties", "source", "properties", "owner"], joined by dots.
func pathOf(breadcrumb []string) string {
	var names []string
	for i := 0; i < len(breadcrumb); i++ {
		switch {
		case breadcrumb[i] == "properties" && i+1 < len(breadcrumb):
			i++
			names = append(names, breadcrumb[i])
		case breadcrumb[i] == "items":
		default:
			return ""
		}
	}
	return strings.Join(names, ".")
}
