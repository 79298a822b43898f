package stripe

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// Discover lists the streams of the configured API version. It sends requests to Stripe only if OnlyAvailable is set, or to learn
// which version the account uses.
func (s *Source) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	c, streams, err := s.pin(ctx, req.Config)
	if err != nil {
		return connector.Catalog{}, err
	}
	catalog := connector.Catalog{Streams: make([]connector.Stream, len(streams))}
	for i := range streams {
		catalog.Streams[i] = describe(streams, &streams[i], c.APIVersion)
	}
	if !req.OnlyAvailable {
		return catalog, nil
	}
	availability, err := s.probe(ctx, c, streams, streams.Names())
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

// describe returns the catalog entry of a stream. Its schema names the API version.
func describe(streams table.Table, row *table.Stream, version string) connector.Stream {
	object := streams.Shape(row)
	return connector.Stream{
		Name:             row.Name,
		Description:      fmt.Sprintf("The %s objects of %s.", row.Object, row.Path),
		JSONSchema:       []byte(rawjson.WithMember(string(object.JSON), "x-api-version", rawjson.Quote(version))),
		PrimaryKey:       row.PrimaryKey(),
		CursorField:      row.Cursor,
		SyncModes:        []connector.SyncMode{connector.FullRefresh, connector.Incremental},
		Freshness:        streams.Freshness(row),
		EmitsDeletes:     streams.Swept(row) && !row.AppendOnly(),
		Parent:           row.Parent,
		ParentField:      row.ParentRef(),
		Relations:        relations(streams, object.Relations),
		Permission:       row.Permission,
		DocumentationURL: "https://docs.stripe.com/api/" + row.Doc,
	}
}

// relations translates relations between object types into relations between streams.
func relations(streams table.Table, between []schema.Relation) []connector.Relation {
	var found []connector.Relation
	for _, relation := range between {
		for _, row := range streams {
			if slices.Contains(relation.Objects, row.Object) && slices.Equal(row.PrimaryKey(), []string{"id"}) && !row.Single {
				found = append(found, connector.Relation{Field: relation.Field, Stream: row.Name, ForeignField: "id"})
			}
		}
	}
	return found
}
