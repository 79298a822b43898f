package sqlite

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// asOfLayout is the format of times. SQLite's date functions accept it.
const asOfLayout = "2006-01-02T15:04:05.000Z"

// Commit stores records and states, and removes rows that no longer exist at the source, in one transaction.
func (d *Destination) Commit(ctx context.Context, c client.Commit) error {
	if err := d.checkFile(); err != nil {
		return err
	}
	if err := d.commit(ctx, c); err != nil {
		return explain(d.path, err)
	}
	return d.checkFile()
}

func (d *Destination) commit(ctx context.Context, c client.Commit) (err error) {
	d.refused = map[*table]map[*connectorv1.Record]client.Refusal{}
	var refilled map[*table]bool
	for err = errRolledBack; errors.Is(err, errRolledBack); {
		err = d.transaction(ctx, func() (err error) {
			refilled, err = d.fill(ctx, c)
			return err
		})
	}
	if err != nil {
		return err
	}
	for t, filled := range refilled {
		t.identity.Filled = filled
	}
	for _, completion := range c.Completed {
		d.completed[client.StreamKey{Stream: completion.Stream, Account: completion.Account}] = completion.Generation
	}
	for _, refused := range d.refused {
		for _, r := range refused {
			if c.Refused != nil {
				c.Refused(r)
			}
		}
	}
	return nil
}

// fill applies a commit within its transaction.
func (d *Destination) fill(ctx context.Context, c client.Commit) (refilled map[*table]bool, err error) {
	now := d.now().UTC().Format(asOfLayout)
	d.replacements = d.replacements[:0]
	if err := d.checkUnchanged(ctx, c); err != nil {
		return nil, err
	}
	before, err := d.arrivals(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, batch := range c.Records {
		if err := d.apply(ctx, batch, now); err != nil {
			return nil, err
		}
	}
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	for t, arrived := range before {
		if err := d.removeUnchanged(ctx, t, arrived); err != nil {
			return nil, err
		}
	}
	for _, state := range c.States {
		if err := d.store(ctx, state, now); err != nil {
			return nil, err
		}
	}
	for _, completion := range c.Completed {
		if err := d.complete(ctx, completion, now); err != nil {
			return nil, err
		}
	}
	return d.updateFilled(ctx, c)
}

// arrivals returns, in append mode, the highest arrival number of each table that the commit adds to.
func (d *Destination) arrivals(ctx context.Context, c client.Commit) (map[*table]int64, error) {
	last := map[*table]int64{}
	if !d.opts.Append {
		return last, nil
	}
	for _, batch := range c.Records {
		t := d.tables[batch.GetStream()]
		if _, known := last[t]; known || t == nil {
			continue
		}
		var err error
		if last[t], err = d.arrived(ctx, t.Stream); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// removeUnchanged removes the versions with arrival numbers above arrived that equal the version before them.
func (d *Destination) removeUnchanged(ctx context.Context, t *table, arrived int64) error {
	lift, remove := t.Unchanged(rows.Quote(t.Name), "?")
	if lift == "" {
		return nil
	}
	for lifted := int64(1); lifted > 0; {
		result, err := d.conn.ExecContext(ctx, lift, arrived)
		if err != nil {
			return err
		}
		if lifted, err = result.RowsAffected(); err != nil {
			return err
		}
	}
	_, err := d.conn.ExecContext(ctx, remove, arrived)
	return err
}

// apply stores the records of a batch. It checks ctx only once per batch, because the driver starts a goroutine for each
// statement that can be canceled.
func (d *Destination) apply(ctx context.Context, batch *connectorv1.RecordBatch, now string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := d.tables[batch.GetStream()]
	if t == nil {
		return rows.UnexpectedStream(batch.GetStream())
	}
	ctx = context.WithoutCancel(ctx)
	for _, record := range batch.GetRecords() {
		if err := d.supersede(ctx, t, batch, record); err != nil {
			return err
		}
		if _, refused := d.refused[t][record]; refused { // set aside when a trigger rolled the transaction back
			if err := d.setAside(ctx, t, batch, record); err != nil {
				return err
			}
			continue
		}
		if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
			if err := d.replace(ctx, t, batch, record, now); err != nil {
				return err
			}
			continue
		}
		width := len(t.Columns)
		if err := d.splitter.Split(t.Table, batch, record, t.values[:width+rows.OwnValues]); err != nil {
			if err = d.refuse(ctx, t, batch, record, err); err != nil {
				return err
			}
			continue
		}
		own := t.values[width:]
		deletedAt := now
		if at, ok := own[rows.AsOfAt].(time.Time); ok {
			deletedAt = at.Format(asOfLayout)
			own[rows.AsOfAt] = deletedAt
		}
		own[rows.OwnValues] = now
		var err error
		switch operation := record.GetOperation(); {
		case operation != connectorv1.Operation_OPERATION_UPSERT && operation != connectorv1.Operation_OPERATION_DELETE:
			err = rows.UnknownOperation(t.Stream, operation)
		case d.opts.Append:
			own[rows.OwnValues+1] = strings.TrimPrefix(operation.String(), "OPERATION_")
			_, err = t.insert.ExecContext(ctx, t.values...)
		case operation == connectorv1.Operation_OPERATION_UPSERT:
			_, err = t.insert.ExecContext(ctx, t.values...)
		case d.opts.SoftDeletes:
			_, err = t.remove.ExecContext(ctx, slices.Concat([]any{deletedAt}, t.values[:t.Keys], []any{batch.GetAccount()})...)
		default:
			_, err = t.remove.ExecContext(ctx, append(t.values[:t.Keys:t.Keys], batch.GetAccount())...)
		}
		if err != nil {
			if err = d.refuse(ctx, t, batch, record, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete removes or marks the rows of generations before the completed one, unless that was done already.
func (d *Destination) complete(ctx context.Context, c client.Completion, now string) error {
	t := d.tables[c.Stream]
	if t == nil {
		return rows.UnexpectedStream(c.Stream)
	}
	if c.Generation <= d.completed[client.StreamKey{Stream: c.Stream, Account: c.Account}] {
		return nil
	}
	if t.aside {
		if _, err := d.conn.ExecContext(ctx, "DELETE FROM "+rows.RefusedTable+" WHERE stream = ? AND account = ? AND generation < ?",
			c.Stream, c.Account, c.Generation); err != nil {
			return err
		}
	}
	if t.complete != nil {
		if _, err := t.complete.ExecContext(ctx, now, c.Account, c.Generation); err != nil {
			return err
		}
	}
	arrived, err := d.arrived(ctx, c.Stream)
	if err != nil {
		return err
	}
	_, err = d.conn.ExecContext(ctx, "UPDATE "+rows.StateTable+" SET completed = ?, arrived = ? WHERE stream = ? AND account = ?",
		c.Generation, arrived, c.Stream, c.Account)
	return err
}

// arrived returns, in append mode, the highest arrival number of the stream's table.
func (d *Destination) arrived(ctx context.Context, stream string) (arrived int64, err error) {
	if t := d.tables[stream]; d.opts.Append && t != nil {
		err = d.conn.QueryRowContext(ctx, "SELECT coalesce(max(_arrival), 0) FROM "+rows.Quote(t.Name)).Scan(&arrived)
	}
	return arrived, err
}

// store stores a state.
func (d *Destination) store(ctx context.Context, state *connectorv1.StreamState, now string) error {
	content, err := rows.EncodeState(state)
	if err != nil {
		return err
	}
	arrived, err := d.arrived(ctx, state.GetStream())
	if err != nil {
		return err
	}
	_, err = d.state.ExecContext(ctx, state.GetStream(), state.GetAccount(), content, now, arrived)
	return err
}

// transaction runs do in a transaction and rolls it back if do fails. It begins the transaction explicitly on the only
// connection, where the statements were prepared.
func (d *Destination) transaction(ctx context.Context, do func() error) error {
	if _, err := d.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = d.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		_, undo := d.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}
