package sqlite

import (
	"context"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Kind returns the kind of destinations named sqlite:FILE. Its options are:
//
//   - deletes: hard (the default) removes the rows of objects that the source no longer has, soft marks them
//   - mode: upsert (the default) keeps the newest version of every object, append keeps every version
func Kind() destination.Kind {
	options := func(o *destination.Options) (Options, error) {
		opts := Options{SoftDeletes: o.Choice("deletes", "hard", "soft"), Append: o.Choice("mode", "upsert", "append")}
		return opts, o.Done()
	}
	return destination.Kind{
		Name: "sqlite", Example: "sqlite:stripe.db", Summary: "a SQLite file, one table per stream", Files: true,
		Open: func(ctx context.Context, path string, o *destination.Options) (client.Destination, error) {
			opts, err := options(o)
			if err != nil {
				return nil, err
			}
			return Open(ctx, path, opts)
		},
		Check: func(ctx context.Context, path string, o *destination.Options, streams []*connectorv1.Stream) ([]client.Finding, error) {
			opts, err := options(o)
			if err != nil {
				return nil, err
			}
			return Check(ctx, path, opts, streams)
		},
	}
}
