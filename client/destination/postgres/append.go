package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// appendVersions appends every record of a stream.
func (d *Destination) appendVersions(ctx context.Context, tx pgx.Tx, t *table, batches []*connectorv1.RecordBatch) error {
	doing := "load " + t.Stream
	var before int64
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(_arrival), 0) FROM "+t.qualified()).Scan(&before); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	source := &versions{d: d, t: t, batches: batches}
	err := d.pipelined(ctx, func(p *pipeline) error {
		insert := feed{pipeline: p, statement: t.insert()}
		for p.err == nil && source.next() {
			insert.add(source.values)
		}
		if source.err != nil {
			return fmt.Errorf("%s: %w", doing, source.err)
		}
		insert.flush()
		return nil
	})
	if err != nil {
		return err
	}
	if err = d.settle(ctx, tx, t, source); err == nil {
		err = t.removeUnchanged(ctx, tx, before)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// removeUnchanged removes the versions with arrival numbers above arrived that equal the version before them.
func (t *table) removeUnchanged(ctx context.Context, tx pgx.Tx, arrived int64) error {
	lift, remove := t.Unchanged(t.qualified(), "$1")
	if lift == "" {
		return nil
	}
	for lifted := int64(1); lifted > 0; {
		tag, err := tx.Exec(ctx, lift, arrived)
		if err != nil {
			return err
		}
		lifted = tag.RowsAffected()
	}
	_, err := tx.Exec(ctx, remove, arrived)
	return err
}
