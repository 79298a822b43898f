package client

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein" // small, without dependencies of its own
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Selection selects streams of a catalog, and their fields. The zero value selects everything.
//
// A pattern is a name, with the wildcards of [path.Match]: "invoice*" matches invoices, invoice_items and
// invoice_line_items.
type Selection struct {
	// Select lists patterns of streams to read. Empty means all.
	Select []string `json:"select,omitempty" yaml:"select,omitempty"`
	// Exclude lists patterns of streams not to read, even if they match Select.
	Exclude []string `json:"exclude,omitempty" yaml:"exclude,omitempty"`
	// Fields maps stream patterns to the paths of the fields to read, such as "id" or "billing_details.email". A
	// stream that matches no pattern is read with all fields; a stream that matches several is read with the fields of
	// all of them. The primary key and the cursor are always read.
	Fields map[string][]string `json:"fields,omitempty" yaml:"fields,omitempty"`
	// LeaveOut names streams to exclude if Select is empty. Unlike with Exclude, names that aren't in the catalog are
	// ignored.
	LeaveOut []string `json:"-" yaml:"-"`
}

// ParseFields parses the command-line form of [Selection.Fields]: "charges=id,amount".
func ParseFields(assignments []string) (map[string][]string, error) {
	fields := map[string][]string{}
	for _, a := range assignments {
		pattern, list, found := strings.Cut(a, "=")
		if !found || pattern == "" || list == "" {
			return nil, fmt.Errorf("fields must have the form stream=field,field, such as charges=id,amount; got %q", a)
		}
		for field := range strings.SplitSeq(list, ",") {
			fields[pattern] = append(fields[pattern], strings.TrimSpace(field))
		}
	}
	return fields, nil
}

// chosen is a selected stream.
type chosen struct {
	stream *connectorv1.Stream // its schema has only the selected fields
	fields []string            // empty means all
}

// streams returns the streams without their fields.
func streams(all []chosen) []*connectorv1.Stream {
	list := make([]*connectorv1.Stream, len(all))
	for i, c := range all {
		list[i] = c.stream
	}
	return list
}

// Streams returns the selected streams of a catalog, in the order in which they are read. Their schemas contain only
// the selected fields. If the selection is invalid, the error is an [*Error] with violations.
func (s Selection) Streams(catalog []*connectorv1.Stream) ([]*connectorv1.Stream, error) {
	all, err := s.apply(catalog)
	if err != nil {
		return nil, err
	}
	return streams(all), nil
}

// apply applies the selection to a catalog. Streams are ordered by pattern, then by their order in the catalog. A
// pattern without a match is an error, since it is probably a typo.
func (s Selection) apply(catalog []*connectorv1.Stream) ([]chosen, error) {
	m := matcher{catalog: catalog}
	selected := catalog
	if len(s.Select) > 0 {
		selected = nil
		for i, pattern := range s.Select {
			for _, stream := range m.match(fmt.Sprintf("streams[%d]", i), pattern) {
				if !slices.Contains(selected, stream) {
					selected = append(selected, stream)
				}
			}
		}
	}
	selected = slices.Clone(selected)
	if len(s.Select) == 0 {
		selected = slices.DeleteFunc(selected, func(stream *connectorv1.Stream) bool { return slices.Contains(s.LeaveOut, stream.GetName()) })
	}
	for i, pattern := range s.Exclude {
		excluded := m.match(fmt.Sprintf("exclude[%d]", i), pattern)
		selected = slices.DeleteFunc(selected, func(stream *connectorv1.Stream) bool { return slices.Contains(excluded, stream) })
	}
	fields := map[*connectorv1.Stream][]string{}
	for _, pattern := range slices.Sorted(maps.Keys(s.Fields)) {
		at := fmt.Sprintf("fields[%q]", pattern)
		for _, stream := range m.match(at, pattern) {
			fields[stream] = append(fields[stream], s.Fields[pattern]...)
			m.checkFields(at, stream, s.Fields[pattern])
		}
	}
	if len(m.violations) == 0 && len(selected) == 0 && len(catalog) > 0 {
		m.complain("exclude", "This leaves no stream to read. Exclude fewer streams.")
	}
	if len(m.violations) > 0 {
		return nil, &Error{Code: codes.InvalidArgument, Failure: &connectorv1.Failure{
			Class:      connectorv1.FailureClass_FAILURE_CLASS_CONFIG,
			Message:    "The selection of streams is invalid.",
			Violations: m.violations,
		}}
	}
	all := make([]chosen, len(selected))
	for i, stream := range selected {
		all[i] = choose(stream, fields[stream])
	}
	return all, nil
}

// matcher finds streams and collects violations.
type matcher struct {
	catalog    []*connectorv1.Stream
	violations []*connectorv1.FieldViolation
}

func (m *matcher) complain(field, format string, args ...any) {
	m.violations = append(m.violations, &connectorv1.FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// match returns the streams whose names match.
func (m *matcher) match(field, pattern string) []*connectorv1.Stream {
	var matching []*connectorv1.Stream
	var known []string
	for _, s := range m.catalog {
		known = append(known, s.GetName())
		matches, err := path.Match(pattern, s.GetName())
		if err != nil {
			m.complain(field, "%q is not a valid pattern. Use a name in which * matches any characters, ? one character, and [ab] either a or b.", pattern)
			return nil
		}
		if matches || pattern == s.GetName() {
			matching = append(matching, s)
		}
	}
	switch {
	case len(matching) > 0:
	case strings.ContainsAny(pattern, `*?[\`):
		m.complain(field, "No stream matches %q. Discover lists all %d.", pattern, len(known))
	default:
		m.complain(field, "There is no stream %q. Did you mean %q? Discover lists all %d.",
			pattern, nearest(pattern, known), len(known))
	}
	return matching
}

// checkFields adds a violation for each path that isn't in the stream's schema, if it has one, since the column would
// always be empty.
func (m *matcher) checkFields(at string, stream *connectorv1.Stream, paths []string) {
	properties := propertiesOf(stream.GetJsonSchema())
	if len(properties) == 0 {
		return
	}
	known := slices.Sorted(maps.Keys(properties))
	for _, p := range paths {
		if top := topOf(p); properties[top] == nil && top != allFields {
			m.complain(at, "Stream %s has no field %q. Did you mean %q?", stream.GetName(), p, nearest(top, known))
		}
	}
}

// choose reduces a stream's schema to the selected fields, so that destinations create only these columns.
func choose(stream *connectorv1.Stream, fields []string) chosen {
	if len(fields) == 0 {
		return chosen{stream: stream}
	}
	if parent := stream.GetParentField(); parent != "" {
		fields = append(slices.Clone(fields), parent) // the source needs it to delete the children of a parent
	}
	keep := map[string]bool{}
	for _, p := range slices.Concat(fields, stream.GetPrimaryKey(), []string{stream.GetCursorField()}) {
		keep[topOf(p)] = true
	}
	kept := map[string]*structpb.Value{}
	for name, property := range propertiesOf(stream.GetJsonSchema()) {
		if keep[name] || keep[allFields] {
			kept[name] = property
		}
	}
	schema := &structpb.Struct{Fields: maps.Clone(stream.GetJsonSchema().GetFields())}
	if schema.Fields == nil {
		schema.Fields = map[string]*structpb.Value{}
	}
	schema.Fields["properties"] = structpb.NewStructValue(&structpb.Struct{Fields: kept})
	pruned := proto.CloneOf(stream)
	pruned.JsonSchema = schema
	slices.Sort(fields)
	return chosen{stream: pruned, fields: slices.Compact(fields)}
}

// allFields stands for all fields that are read by default. Others can be named in addition.
const allFields = "*"

// topOf returns the first element of a field's path, without the brackets of an array.
func topOf(path string) string {
	top, _, _ := strings.Cut(path, ".")
	return strings.TrimSuffix(top, "[]")
}

func propertiesOf(schema *structpb.Struct) map[string]*structpb.Value {
	return schema.GetFields()["properties"].GetStructValue().GetFields()
}

// configure returns a configuration of each stream with its best sync mode: incremental, if supported.
func configure(all []chosen) []*connectorv1.ConfiguredStream {
	configured := make([]*connectorv1.ConfiguredStream, len(all))
	for i, c := range all {
		mode := connectorv1.SyncMode_SYNC_MODE_FULL_REFRESH
		if slices.Contains(c.stream.GetSupportedSyncModes(), connectorv1.SyncMode_SYNC_MODE_INCREMENTAL) {
			mode = connectorv1.SyncMode_SYNC_MODE_INCREMENTAL
		}
		configured[i] = &connectorv1.ConfiguredStream{Stream: c.stream.GetName(), SyncMode: mode, Fields: c.fields}
	}
	return configured
}

// nearest returns the known name with the smallest edit distance to name, or "" if known is empty.
func nearest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	return slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
}
