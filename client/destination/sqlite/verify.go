package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

var _ client.Verifier = (*Destination)(nil)

// Compare implements [client.Verifier].
func (d *Destination) Compare(ctx context.Context, batch *connectorv1.RecordBatch) ([]client.Comparison, error) {
	t := d.tables[batch.GetStream()]
	if t == nil {
		return nil, rows.UnexpectedStream(batch.GetStream())
	}
	exists, err := rows.Existing(d.opts.Append, d.opts.SoftDeletes)
	if err != nil {
		return nil, err
	}
	query, at := t.Compare(rows.Quote(t.Name), exists, rows.Dialect{
		Parameter: "?%d", Same: "IS", Cast: func(value string, _ rows.Kind) string { return value },
	})
	statement, err := d.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, explain(d.path, err)
	}
	defer statement.Close()
	values, parameters := t.Values(), make([]any, len(at))
	compared := make([]client.Comparison, len(batch.GetRecords()))
	for i, record := range batch.GetRecords() {
		if err := d.splitter.Split(t.Table, batch, record, values); err != nil {
			return nil, err
		}
		for n, v := range at {
			parameters[n] = values[v]
		}
		compared[i].Key = t.ShownKey(values)
		var same bool
		switch err := statement.QueryRowContext(ctx, parameters...).Scan(&same); {
		case errors.Is(err, sql.ErrNoRows):
			compared[i].Match = client.Missing
		case err != nil:
			return nil, explain(d.path, err)
		case !same:
			compared[i].Match = client.Different
		}
	}
	return compared, nil
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
	err = d.conn.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", rows.Quote(t.Name), exists)).Scan(&n)
	return n, explain(d.path, err)
}
