package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Discover lists the streams. Without OnlyAvailable it does not reach Stripe.
func (s *Source) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	c, err := s.parseConfig(req.Config)
	if err != nil {
		return connector.Catalog{}, err
	}
	catalog := connector.Catalog{Streams: make([]connector.Stream, len(s.streams))}
	for i := range s.streams {
		catalog.Streams[i] = s.describe(&s.streams[i])
	}
	if !req.OnlyAvailable {
		return catalog, nil
	}
	availability, err := s.probe(ctx, c, s.streams.names())
	if err != nil {
		return connector.Catalog{}, err
	}
	for i, a := range availability {
		catalog.Streams[i].Availability, catalog.Streams[i].Unavailable = a.Availability, a.Reason
	}
	if !req.IncludeUnavailable {
		catalog.Streams = slices.DeleteFunc(catalog.Streams, func(s connector.Stream) bool {
			return s.Availability == connector.Unavailable
		})
	}
	return catalog, nil
}

// describe gives the catalog's entry of a stream.
func (s *Source) describe(row *stream) connector.Stream {
	object := s.streams.shape(row)
	return connector.Stream{
		Name:             row.Name,
		Description:      fmt.Sprintf("The %s objects of %s.", row.Object, row.Path),
		JSONSchema:       object.JSON,
		PrimaryKey:       row.primaryKey(),
		CursorField:      row.Cursor,
		SyncModes:        []connector.SyncMode{connector.FullRefresh, connector.Incremental},
		Freshness:        s.streams.freshness(row),
		EmitsDeletes:     s.streams.swept(row) && !row.appendOnly(),
		Parent:           row.Parent,
		ParentField:      row.parentKey(),
		Relations:        s.relations(object.Relations),
		Permission:       row.Permission,
		DocumentationURL: "https://docs.stripe.com/api/" + row.Doc,
	}
}

// relations turns relations between object types into relations between streams.
func (s *Source) relations(between []schema.Relation) []connector.Relation {
	var relations []connector.Relation
	for _, relation := range between {
		for _, row := range s.streams {
			if slices.Contains(relation.Objects, row.Object) && slices.Equal(row.primaryKey(), []string{"id"}) {
				relations = append(relations, connector.Relation{Field: relation.Field, Stream: row.Name, ForeignField: "id"})
			}
		}
	}
	return relations
}

// property is what field selection needs to know of a JSON Schema.
type property struct {
	Properties           map[string]property `json:"properties"`
	AdditionalProperties json.RawMessage     `json:"additionalProperties"`
	Items                *property           `json:"items"`
	Type                 types               `json:"type"`
	Expandable           []string            `json:"x-expandable"`
	Objects              []string            `json:"x-object"`
}

// types is the type keyword of a JSON Schema: one name or several.
type types []string

// UnmarshalJSON accepts both forms.
func (t *types) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*t = types{strings.Trim(string(text), `"`)}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// properties gives the schema of a stream's records, as far as paths need it.
func (t table) properties(row *stream) property {
	var root property
	if err := json.Unmarshal(t.shape(row).JSON, &root); err != nil {
		panic(fmt.Sprintf("the schema of %s is not JSON: %v", row.Object, err)) // generated, and tested
	}
	return root
}

// checkPath tells what is wrong with a field path; nothing if it may exist.
func checkPath(row *stream, at property, path string) string {
	names := strings.Split(path, ".")
	for i, name := range names {
		for at.Items != nil {
			at = *at.Items
		}
		if at.open() {
			return ""
		}
		next, known := at.Properties[name]
		if !known {
			return unknownField(row, names[:i], name, at)
		}
		at = next
	}
	return ""
}

// open tells whether an object may have members that its schema does not name: a map, or an object of another schema.
func (p property) open() bool {
	return p.AdditionalProperties != nil || len(p.Expandable) > 0 || len(p.Objects) > 0 ||
		len(p.Properties) == 0 && slices.Contains(p.Type, "object")
}

func unknownField(row *stream, above []string, name string, at property) string {
	known := make([]string, 0, len(at.Properties))
	for field := range at.Properties {
		known = append(known, field)
	}
	slices.Sort(known)
	where := row.Name
	if len(above) > 0 {
		where += "." + strings.Join(above, ".")
	}
	if len(known) == 0 {
		return fmt.Sprintf("%s has no fields below it, so no %s.", where, echo(name))
	}
	return fmt.Sprintf("%s has no field %s.%s Discover's json_schema lists them all.", where, echo(name), suggest(name, known))
}
