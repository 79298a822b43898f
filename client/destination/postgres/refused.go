package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// maxRefused is the number of records that a commit sets aside per stream. If more fail, the problem isn't the records.
const maxRefused = 100

// item is a record and its batch.
type item struct {
	batch  *connectorv1.RecordBatch
	record *connectorv1.Record
}

// refusal is a record that was set aside.
type refusal struct {
	item
	client.Refusal
}

// isRowError reports whether an error concerns a single record, rejected by the database or by a user's constraint or trigger.
func (t *table) isRowError(err error) bool {
	if _, misfit := errors.AsType[*rows.InvalidKeyError](err); misfit {
		return true
	}
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch failure.Code[:min(2, len(failure.Code))] {
	case "22", "54", "P0":
		return true
	case "23": // a NOT NULL column that syncs don't fill would reject every row
		return failure.Code != "23502" || failure.TableName != t.Name || slices.Contains(t.names, failure.ColumnName)
	}
	return false
}

// loadStorable loads the records of a stream, except those that can't be stored, which it returns.
func (d *Destination) loadStorable(ctx context.Context, tx pgx.Tx, t *table, batches []*connectorv1.RecordBatch) ([]refusal, error) {
	var items []item
	for _, batch := range batches {
		for _, record := range batch.GetRecords() {
			items = append(items, item{batch, record})
		}
	}
	var refused []refusal
	for {
		err := d.try(ctx, tx, items, true)
		if err == nil || !t.isRowError(err) {
			return refused, err
		}
		if len(refused) == maxRefused {
			return nil, fmt.Errorf("more than %d records cannot be stored: %w", maxRefused, err)
		}
		at, cause, err := d.culprit(ctx, tx, t, items, err)
		if err != nil {
			return nil, err
		}
		culprit := items[at]
		items = slices.Delete(items, at, at+1)
		key := d.keyOf(t, culprit)
		if !d.opts.Append && slices.ContainsFunc(items[at:], func(i item) bool {
			return i.batch.GetAccount() == culprit.batch.GetAccount() && d.keyOf(t, i) == key
		}) {
			continue // a later record in this commit replaces it
		}
		refused = append(refused, refusal{culprit, client.Refusal{
			Stream: t.Stream, Account: culprit.batch.GetAccount(), Key: key, Reason: d.reason(ctx, cause)}})
	}
}

// culprit returns the index of a record such that the records before it can be stored, but not together with it.
func (d *Destination) culprit(ctx context.Context, tx pgx.Tx, t *table, items []item, cause error) (int, error, error) {
	low, high := 0, len(items)
	for high-low > 1 {
		middle := (low + high) / 2
		err := d.try(ctx, tx, items[:middle], false)
		switch {
		case err == nil:
			low = middle
		case t.isRowError(err):
			high, cause = middle, err
		default:
			return 0, nil, err
		}
	}
	return high - 1, cause, nil
}

// try loads records after a savepoint. It rolls back to the savepoint unless keep is set and loading succeeded.
func (d *Destination) try(ctx context.Context, tx pgx.Tx, items []item, keep bool) error {
	point, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	var batches []*connectorv1.RecordBatch
	var last *connectorv1.RecordBatch
	for _, i := range items {
		if i.batch != last {
			last = i.batch
			batches = append(batches, &connectorv1.RecordBatch{
				Stream: last.GetStream(), Account: last.GetAccount(), Generation: last.GetGeneration()})
		}
		b := batches[len(batches)-1]
		b.Records = append(b.Records, i.record)
	}
	if err = d.load(ctx, point, batches); err == nil {
		_, err = point.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE") // deferred constraints
	}
	if err == nil && keep {
		return point.Commit(ctx)
	}
	return errors.Join(err, point.Rollback(ctx))
}

// load loads records of a stream.
func (d *Destination) load(ctx context.Context, tx pgx.Tx, batches []*connectorv1.RecordBatch) error {
	if len(batches) == 0 {
		return nil
	}
	t := d.tables[batches[0].GetStream()]
	if d.opts.Append {
		return d.appendVersions(ctx, tx, t, batches)
	}
	return d.pipelined(ctx, func(p *pipeline) error { return d.sendNewest(p, t, batches) })
}

// keyOf identifies a record by its primary key.
func (d *Destination) keyOf(t *table, i item) string {
	values := t.Values()
	if err := d.splitter.Split(t.Table, i.batch, i.record, values); err != nil || t.Keys == 0 {
		sum := sha256.Sum256([]byte(i.record.GetData()))
		return "unknown, hash " + hex.EncodeToString(sum[:8])
	}
	var parts []string
	for _, v := range values[:t.Keys] {
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, ", ")
}

// reason explains why a record can't be stored. The text contains none of the record's values.
func (d *Destination) reason(ctx context.Context, err error) string {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return d.describe(ctx, failure).Error()
	}
	if misfit, ok := errors.AsType[*rows.InvalidKeyError](err); ok {
		return misfit.Error()
	}
	return err.Error()
}

// setAside stores records that could not be stored in their table, and replaces earlier ones with the same key.
func (d *Destination) setAside(ctx context.Context, tx pgx.Tx, t *table, refused []refusal) error {
	for _, r := range refused {
		var parent any
		if t.Parent >= 0 {
			values := t.Values()
			if err := d.splitter.Split(t.Table, r.batch, r.record, values); err == nil && values[t.Parent] != nil {
				parent = fmt.Sprint(values[t.Parent])
			}
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+d.qualified(rows.RefusedTable)+
			` (stream, account, key, parent, operation, data, generation, as_of, event_id, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (stream, account, key) DO UPDATE SET parent = excluded.parent, operation = excluded.operation, data = excluded.data,
	generation = excluded.generation, as_of = excluded.as_of, event_id = excluded.event_id, reason = excluded.reason, refused_at = now()`,
			t.Stream, r.Account, r.Key, parent, int32(r.record.GetOperation()), r.record.GetData(), r.batch.GetGeneration(), asOf(r.record),
			r.record.GetEventId(), r.Reason); err != nil {
			return err
		}
		t.refused = true
	}
	return nil
}

// supersede adds the statements that delete the refused records that are replaced by records of a commit.
func (d *Destination) supersede(p *pipeline, t *table, batches []*connectorv1.RecordBatch) {
	if !t.refused {
		return
	}
	for _, batch := range batches {
		var keys, parents []string
		for _, record := range batch.GetRecords() {
			if record.GetOperation() != connectorv1.Operation_OPERATION_DELETE_MATCHING {
				keys = append(keys, d.keyOf(t, item{batch, record}))
			} else if parent, err := d.splitter.Parent(t.Table, record); err == nil {
				parents = append(parents, fmt.Sprint(parent))
			}
		}
		p.exec("DELETE FROM "+d.qualified(rows.RefusedTable)+
			" WHERE stream = $1 AND account = $2 AND (key = ANY($3) OR parent = ANY($4))", t.Stream, batch.GetAccount(), keys, parents)
	}
}

// retry retries the refused records of the streams and returns those that still can't be stored.
func (d *Destination) retry(ctx context.Context, streams []string) ([]client.Refusal, error) {
	answer, err := d.conn.Query(ctx, "SELECT stream, account, operation, data, generation, as_of, event_id FROM "+
		d.qualified(rows.RefusedTable)+" WHERE stream = ANY($1) ORDER BY refused_at", streams)
	if err != nil {
		return nil, err
	}
	batches, err := pgx.CollectRows(answer, func(row pgx.CollectableRow) (*connectorv1.RecordBatch, error) {
		b, r := &connectorv1.RecordBatch{}, &connectorv1.Record{}
		var operation int32
		var asOf *time.Time
		err := row.Scan(&b.Stream, &b.Account, &operation, &r.Data, &b.Generation, &asOf, &r.EventId)
		r.Operation = connectorv1.Operation(operation)
		if asOf != nil {
			r.AsOf = timestamppb.New(*asOf)
		}
		b.Records = append(b.Records, r)
		return b, err
	})
	if err != nil {
		return nil, err
	}
	var still []client.Refusal
	for _, of := range byStream(batches) {
		t := d.tables[of[0].GetStream()]
		err := d.transaction(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "DELETE FROM "+d.qualified(rows.RefusedTable)+" WHERE stream = $1", t.Stream); err != nil {
				return err
			}
			refused, err := d.loadStorable(ctx, tx, t, of)
			if err != nil {
				return err
			}
			for _, r := range refused {
				still = append(still, r.Refusal)
			}
			t.refused = false
			if err := d.setAside(ctx, tx, t, refused); err != nil || !d.opts.Append {
				return err
			}
			_, err = tx.Exec(ctx, "UPDATE "+d.stateTable()+" SET arrived = (SELECT coalesce(max(_arrival), 0) FROM "+t.qualified()+
				") WHERE stream = $1", t.Stream)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return still, nil
}
