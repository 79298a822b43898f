package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// maxRefused is the number of records that a commit sets aside per stream. If more fail, the problem isn't the records.
const maxRefused = 100

// errRolledBack is the error of a transaction that a user's trigger rolled back. It is retried without the record that
// caused it.
var errRolledBack = errors.New("a trigger rolled the transaction back")

// isRowError reports whether an error concerns a single record: a user's constraint or trigger rejects it, or it is too large.
func isRowError(err error) bool {
	if _, misfit := errors.AsType[*rows.InvalidKeyError](err); misfit {
		return true
	}
	failure, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return false
	}
	switch failure.Code() & 0xff {
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH:
		return true
	}
	return false
}

// refuse sets aside a record that can't be stored. It returns cause if that doesn't concern the record alone.
func (d *Destination) refuse(ctx context.Context, t *table, batch *connectorv1.RecordBatch, record *connectorv1.Record, cause error) error {
	if !isRowError(cause) {
		return cause
	}
	key := t.key(batch, record, &d.splitter)
	if d.refused[t] == nil {
		d.refused[t] = map[*connectorv1.Record]client.Refusal{}
	}
	reason := strings.TrimSuffix(strings.TrimPrefix(cause.Error(), "constraint failed: "), ".")
	d.refused[t][record] = client.Refusal{Stream: t.Stream, Account: batch.GetAccount(), Key: key,
		Reason: fmt.Sprintf("table %s rejects it: %s; the next sync retries it", t.Name, reason)}
	if len(d.refused[t]) > maxRefused {
		return fmt.Errorf("table %s rejects more than %d records: remove the cause: %w", t.Name, maxRefused, cause)
	}
	if _, err := d.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err == nil {
		return errRolledBack
	} else if !strings.Contains(err.Error(), "within a transaction") {
		return err
	}
	return d.setAside(ctx, t, batch, record)
}

// setAside stores a refused record, replacing an earlier one with the same key.
func (d *Destination) setAside(ctx context.Context, t *table, batch *connectorv1.RecordBatch, record *connectorv1.Record) error {
	refusal := d.refused[t][record]
	var asOf any
	if at := record.GetAsOf(); at != nil {
		asOf = at.AsTime().Format(time.RFC3339Nano)
	}
	var parent any
	if t.Parent >= 0 {
		values := t.Values()
		if err := d.splitter.Split(t.Table, batch, record, values); err == nil {
			parent = values[t.Parent]
		}
	}
	t.aside = true
	_, err := d.conn.ExecContext(ctx, "INSERT OR REPLACE INTO "+rows.RefusedTable+
		" (stream, account, key, parent, operation, data, generation, as_of, event_id, reason, refused_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		t.Stream, batch.GetAccount(), refusal.Key, parent, int32(record.GetOperation()), record.GetData(), batch.GetGeneration(), asOf,
		record.GetEventId(), refusal.Reason, d.now().UTC().Format(asOfLayout))
	return err
}

// key identifies a record by its primary key.
func (t *table) key(batch *connectorv1.RecordBatch, record *connectorv1.Record, splitter *rows.Splitter) string {
	values := t.Values()
	_ = splitter.Split(t.Table, batch, record, values) // invalid key values remain unset
	var parts []string
	for _, v := range values[:t.Keys] {
		if v == nil {
			sum := sha256.Sum256([]byte(record.GetData()))
			return "unknown, hash " + hex.EncodeToString(sum[:8])
		}
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, ", ")
}

// supersede deletes the refused record that another one replaces.
func (d *Destination) supersede(ctx context.Context, t *table, batch *connectorv1.RecordBatch, record *connectorv1.Record) error {
	if !t.aside {
		return nil
	}
	where, value := "key = ?", any(t.key(batch, record, &d.splitter))
	if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
		parent, err := d.splitter.Parent(t.Table, record)
		if err != nil {
			return err
		}
		where, value = "parent = ?", parent
	}
	_, err := d.conn.ExecContext(ctx, "DELETE FROM "+rows.RefusedTable+" WHERE stream = ? AND account = ? AND "+where,
		t.Stream, batch.GetAccount(), value)
	return err
}

// retry retries the refused records of the streams and returns those that still can't be stored.
func (d *Destination) retry(ctx context.Context) (still []client.Refusal, err error) {
	for _, t := range d.tables {
		batches, err := d.refusedRecords(ctx, t)
		if err != nil {
			return nil, err
		}
		t.aside = len(batches) > 0
		if !t.aside {
			continue
		}
		if err := d.commit(ctx, client.Commit{Records: batches, Refused: func(r client.Refusal) { still = append(still, r) }}); err != nil {
			return nil, err
		}
		if d.opts.Append { // no state will cover them
			if _, err := d.conn.ExecContext(ctx, "UPDATE "+rows.StateTable+" SET arrived = (SELECT coalesce(max(_arrival), 0) FROM "+
				rows.Quote(t.Name)+") WHERE stream = ?", t.Stream); err != nil {
				return nil, err
			}
		}
	}
	return still, nil
}

// refusedRecords reads the refused records of a stream.
func (d *Destination) refusedRecords(ctx context.Context, t *table) (batches []*connectorv1.RecordBatch, err error) {
	found, err := d.conn.QueryContext(ctx, "SELECT account, operation, data, generation, coalesce(as_of, ''), event_id FROM "+
		rows.RefusedTable+" WHERE stream = ? ORDER BY refused_at", t.Stream)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		b, r := &connectorv1.RecordBatch{Stream: t.Stream}, &connectorv1.Record{}
		var operation int32
		var asOf string
		if err := found.Scan(&b.Account, &operation, &r.Data, &b.Generation, &asOf, &r.EventId); err != nil {
			return nil, err
		}
		r.Operation = connectorv1.Operation(operation)
		if at, err := time.Parse(time.RFC3339Nano, asOf); err == nil {
			r.AsOf = timestamppb.New(at)
		}
		b.Records = []*connectorv1.Record{r}
		batches = append(batches, b)
	}
	return batches, found.Err()
}
