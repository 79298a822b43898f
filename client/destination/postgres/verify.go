package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

var _ client.Verifier = (*Destination)(nil)

// Compare implements [client.Verifier]. It takes one round trip.
func (d *Destination) Compare(ctx context.Context, batch *connectorv1.RecordBatch) ([]client.Comparison, error) {
	t := d.tables[batch.GetStream()]
	if t == nil {
		return nil, rows.UnexpectedStream(batch.GetStream())
	}
	exists, err := rows.Existing(d.opts.Append, d.opts.SoftDeletes)
	if err != nil {
		return nil, err
	}
	query, at := t.Compare(t.qualified(), exists, rows.Dialect{
		Parameter: "$%d", Same: "IS NOT DISTINCT FROM", Cast: func(value string, kind rows.Kind) string { return value + "::" + types[kind] },
	})
	var queries pgx.Batch
	compared := make([]client.Comparison, len(batch.GetRecords()))
	for i, record := range batch.GetRecords() {
		values, parameters := t.Values(), make([]any, len(at))
		if err := d.splitter.Split(t.Table, batch, record, values); err != nil {
			return nil, err
		}
		for n, v := range at {
			parameters[n] = values[v]
		}
		compared[i] = client.Comparison{Key: t.ShownKey(values), Match: client.Missing}
		queries.Queue(query, parameters...).Query(func(found pgx.Rows) error {
			for found.Next() {
				var same bool
				if err := found.Scan(&same); err != nil {
					return err
				}
				if compared[i].Match = client.Different; same {
					compared[i].Match = client.Same
				}
			}
			return found.Err()
		})
	}
	return compared, d.explain(ctx, d.conn.SendBatch(ctx, &queries).Close())
}

// Count implements [client.Verifier].
func (d *Destination) Count(ctx context.Context, stream string) (n int64, err error) {
	t := d.tables[stream]
	if t == nil {
		return 0, rows.UnexpectedStream(stream)
	}
	exists, err := rows.Existing(d.opts.Append, d.opts.SoftDeletes)
	if err != nil {
		return 0, err
	}
	err = d.conn.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", t.qualified(), exists)).Scan(&n)
	return n, d.explain(ctx, err)
}
