package postgres

import (
	"context"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Kind returns the kind of destinations named postgres://USER@HOST/DATABASE. Its options are:
//
//   - schema: the schema of the tables (default: public)
//   - deletes: hard (the default) removes the rows of objects that the source no longer has, soft marks them
//   - mode: upsert (the default) keeps the newest version of every object, append keeps every version
//
// Other options, such as sslmode=verify-full, are the driver's.
func Kind() destination.Kind {
	options := func(address string, o *destination.Options) (string, Options, error) {
		opts := Options{
			Schema: o.Text("schema"), SoftDeletes: o.Choice("deletes", "hard", "soft"), Append: o.Choice("mode", "upsert", "append"),
			Fence: o.Fence,
		}
		return o.Rest("postgres:" + address), opts, o.Err()
	}
	return destination.Kind{
		Name: "postgres", Alias: "postgresql", Example: "postgres://user@host/database",
		Summary: "PostgreSQL, one table per stream",
		Open: func(ctx context.Context, address string, o *destination.Options) (client.Destination, error) {
			address, opts, err := options(address, o)
			if err != nil {
				return nil, err
			}
			return Open(ctx, address, opts)
		},
		Check: func(ctx context.Context, address string, o *destination.Options, streams []*connectorv1.Stream) ([]client.Finding, error) {
			address, opts, err := options(address, o)
			if err != nil {
				return nil, err
			}
			return Check(ctx, address, opts, streams)
		},
	}
}
