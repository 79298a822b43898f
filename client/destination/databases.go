//go:build !service

package destination

import (
	"context"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/sqlite"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// databases gives the kinds of destinations that are databases. Their drivers are a third of a binary, so a build with the tag
// service leaves them out.
func databases() []scheme {
	postgresOptions := func(path string, o *options) (string, postgres.Options, error) {
		opts := postgres.Options{
			Schema: o.text("schema"), SoftDeletes: o.choice("deletes", "hard", "soft"), Append: o.choice("mode", "upsert", "append"),
		}
		address := o.rest("postgres:" + path) // sslmode and the like are for the driver
		return address, opts, o.wrong()
	}
	toPostgres := func(ctx context.Context, path string, o *options) (client.Destination, error) {
		address, opts, err := postgresOptions(path, o)
		if err != nil {
			return nil, err
		}
		return postgres.Open(ctx, address, opts)
	}
	checkPostgres := func(ctx context.Context, path string, o *options, streams []*connectorv1.Stream) ([]client.Finding, error) {
		address, opts, err := postgresOptions(path, o)
		if err != nil {
			return nil, err
		}
		return postgres.Check(ctx, address, opts, streams)
	}
	sqliteOptions := func(o *options) (sqlite.Options, error) {
		opts := sqlite.Options{SoftDeletes: o.choice("deletes", "hard", "soft"), Append: o.choice("mode", "upsert", "append")}
		return opts, o.unknown()
	}
	toSQLite := func(ctx context.Context, path string, o *options) (client.Destination, error) {
		opts, err := sqliteOptions(o)
		if err != nil {
			return nil, err
		}
		return sqlite.Open(ctx, path, opts)
	}
	checkSQLite := func(ctx context.Context, path string, o *options, streams []*connectorv1.Stream) ([]client.Finding, error) {
		opts, err := sqliteOptions(o)
		if err != nil {
			return nil, err
		}
		return sqlite.Check(ctx, path, opts, streams)
	}
	return []scheme{
		{name: "sqlite", example: "sqlite:stripe.db", open: toSQLite, check: checkSQLite},
		{name: "postgres", example: "postgres://user@host/database", open: toPostgres, check: checkPostgres},
		{name: "postgresql", example: "postgresql://user@host/database", open: toPostgres, check: checkPostgres},
	}
}
