package stripe

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Discover lists the streams. It sends requests to Stripe only if OnlyAvailable is set.
func (s *Source) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	c, err := s.parse(req.Config)
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
	availability, err := s.probe(ctx, c, s.streams.Names())
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

// describe returns the catalog entry of a stream.
func (s *Source) describe(row *table.Stream) connector.Stream {
	object := s.streams.Shape(row)
	return connector.Stream{
		Name:             row.Name,
		Description:      fmt.Sprintf("The %s objects of %s.", row.Object, row.Path),
		JSONSchema:       object.JSON,
		PrimaryKey:       row.PrimaryKey(),
		CursorField:      row.Cursor,
		SyncModes:        []connector.SyncMode{connector.FullRefresh, connector.Incremental},
		Freshness:        s.streams.Freshness(row),
		EmitsDeletes:     s.streams.Swept(row) && !row.AppendOnly(),
		Parent:           row.Parent,
		ParentField:      row.ParentRef(),
		Relations:        s.relations(object.Relations),
		Permission:       row.Permission,
		DocumentationURL: "https://docs.stripe.com/api/" + row.Doc,
	}
}

// relations translates relations between object types into relations between streams.
func (s *Source) relations(between []schema.Relation) []connector.Relation {
	var relations []connector.Relation
	for _, relation := range between {
		for _, row := range s.streams {
			if slices.Contains(relation.Objects, row.Object) && slices.Equal(row.PrimaryKey(), []string{"id"}) && !row.Single {
				relations = append(relations, connector.Relation{Field: relation.Field, Stream: row.Name, ForeignField: "id"})
			}
		}
	}
	return relations
}
