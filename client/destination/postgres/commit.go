package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Commit stores records and states, and removes rows that no longer exist at the source, in one transaction. If a record
// can't be stored, Commit starts over and sets that record aside. If ctx ends, the connection is lost. Begin reconnects.
func (d *Destination) Commit(ctx context.Context, c client.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	touched := d.touched(c)
	_, err := d.commit(ctx, c, touched, false)
	if slices.ContainsFunc(touched, func(t *table) bool { return t.isRowError(err) }) {
		var refused []refusal
		if refused, err = d.commit(ctx, c, touched, true); err == nil && c.Refused != nil {
			for _, r := range refused {
				c.Refused(r.Refusal)
			}
		}
	}
	return d.explain(ctx, err)
}

// commit makes one attempt at a commit, carefully or not. Round trips may be slow, so their number doesn't depend on that of
// rows and streams: one to begin, one to examine the tables, one to store the rows, one for everything else, and one to end.
func (d *Destination) commit(ctx context.Context, c client.Commit, touched []*table, careful bool) (refused []refusal, err error) {
	refilled := map[*table]bool{}
	err = d.transaction(ctx, func(tx pgx.Tx) (err error) {
		if err := d.checkUnchanged(ctx, tx, touched); err != nil {
			return err
		}
		if refused, err = d.apply(ctx, tx, byStream(c.Records), careful); err != nil {
			return err
		}
		var rest queue
		for _, state := range c.States {
			if err := d.store(&rest, state); err != nil {
				return err
			}
		}
		for _, completion := range c.Completed {
			if err := d.complete(&rest, completion); err != nil {
				return err
			}
		}
		d.updateFilled(&rest, touched, refilled)
		return rest.run(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	for t, filled := range refilled {
		t.known.Filled = filled
	}
	for _, completion := range c.Completed {
		d.completed[client.StreamKey{Stream: completion.Stream, Account: completion.Account}] = completion.Generation
	}
	return refused, nil
}

// apply stores the records of streams. If careful is set, it sets aside those that can't be stored, and returns them.
func (d *Destination) apply(ctx context.Context, tx pgx.Tx, streams [][]*connectorv1.RecordBatch, careful bool) (refused []refusal, err error) {
	for _, batches := range streams {
		t := d.tables[batches[0].GetStream()]
		if t == nil {
			return nil, rows.UnexpectedStream(batches[0].GetStream())
		}
		if err := d.supersede(ctx, tx, t, batches); err != nil {
			return nil, err
		}
		if !careful {
			continue
		}
		aside, err := d.loadStorable(ctx, tx, t, batches)
		if err == nil {
			err = d.setAside(ctx, tx, t, aside)
		}
		if err != nil {
			return nil, err
		}
		refused = append(refused, aside...)
	}
	if careful {
		return refused, nil
	}
	return nil, d.load(ctx, tx, streams)
}

// byStream groups the batches by stream. Each group keeps their order.
func byStream(batches []*connectorv1.RecordBatch) [][]*connectorv1.RecordBatch {
	var all [][]*connectorv1.RecordBatch
	at := map[string]int{}
	for _, b := range batches {
		i, ok := at[b.GetStream()]
		if !ok {
			i = len(all)
			at[b.GetStream()] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], b)
	}
	return all
}

// load stores the records of streams.
func (d *Destination) load(ctx context.Context, tx pgx.Tx, streams [][]*connectorv1.RecordBatch) error {
	if d.opts.Append {
		for _, batches := range streams {
			if err := d.appendVersions(ctx, tx, d.tables[batches[0].GetStream()], batches); err != nil {
				return err
			}
		}
		return nil
	}
	return d.pipelined(ctx, func(p *pipeline) error {
		for _, batches := range streams {
			if err := d.sendNewest(p, d.tables[batches[0].GetStream()], batches); err != nil {
				return err
			}
		}
		return nil
	})
}

// sendNewest sends the statements that store the last version of each row of a stream.
func (d *Destination) sendNewest(p *pipeline, t *table, batches []*connectorv1.RecordBatch) error {
	if t.Parent >= 0 { // first, since it concerns rows from before this commit
		replace := feed{pipeline: p, statement: t.replace(d.opts)}
		if err := d.replacements(t, batches, replace.add); err != nil {
			return err
		}
		if err := replace.flush(); err != nil {
			return err
		}
	}
	source := &newest{versions: versions{d: d, t: t, batches: batches},
		seen: map[string]connectorv1.Operation{}, replaced: map[string]any{}}
	merge := feed{pipeline: p, statement: t.merge()}
	var gone [][]any
	for source.next() {
		if !source.gone {
			if err := merge.add(source.values); err != nil {
				return err
			}
			continue
		}
		own := source.values[len(t.Columns):]
		gone = append(gone, append(source.values[:t.Keys:t.Keys], own[rows.AccountAt], own[rows.AsOfAt]))
	}
	if source.err != nil {
		return fmt.Errorf("load %s: %w", t.Stream, source.err)
	}
	if err := merge.flush(); err != nil {
		return err
	}
	remove := feed{pipeline: p, statement: t.remove(d.opts)} // last, since it may concern versions that merge stored
	for _, key := range gone {
		if err := remove.add(key); err != nil {
			return err
		}
	}
	return remove.flush()
}

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
		for source.next() {
			if err := insert.add(source.values); err != nil {
				return err
			}
		}
		if source.err != nil {
			return fmt.Errorf("%s: %w", doing, source.err)
		}
		return insert.flush()
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

// versions yields every record of a stream as a row, in order.
type versions struct {
	d       *Destination
	t       *table
	batches []*connectorv1.RecordBatch
	record  int   // the index in batches[0] of the next record
	values  []any // of the row
	err     error

	yielded      int64         // the number of rows yielded
	replacements []replacement // found between the rows
}

// next sets values to those of the next row, and reports whether there is one.
func (v *versions) next() bool {
	for v.err == nil && len(v.batches) > 0 {
		batch := v.batches[0]
		if v.record == len(batch.GetRecords()) {
			v.batches, v.record = v.batches[1:], 0
			continue
		}
		record := batch.GetRecords()[v.record]
		v.record++
		if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
			v.note(batch, record)
			continue
		}
		operation := v.split(batch, record)
		v.values[len(v.values)-1] = strings.TrimPrefix(operation.String(), "OPERATION_")
		v.yielded++
		return v.err == nil
	}
	return false
}

// split sets the values of a record, except for _operation.
func (v *versions) split(batch *connectorv1.RecordBatch, record *connectorv1.Record) connectorv1.Operation {
	if v.values == nil {
		v.values = make([]any, len(v.t.names))
	}
	v.err = v.d.splitter.Split(v.t.Table, batch, record, v.values[:len(v.t.Columns)+rows.OwnValues])
	switch record.GetOperation() {
	case connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE:
	default:
		v.err = rows.UnknownOperation(v.t.Stream, record.GetOperation())
	}
	return record.GetOperation()
}

// newest yields only the last version of each row, since a statement can't replace a row twice. It walks the records from
// the end and skips keys it has already seen. With soft deletes, it yields a deletion and then the version to mark as
// deleted.
//
// An OPERATION_DELETE_MATCHING applies to rows already in the table. Earlier records of its parent in the same commit are
// yielded as deletions.
type newest struct {
	versions
	gone     bool                             // whether the row is a deletion
	seen     map[string]connectorv1.Operation // the operation yielded last, by key
	replaced map[string]any                   // the _as_of of later OPERATION_DELETE_MATCHING records, by parent
	key      []byte
	marked   *any // the _as_of of a version to yield after the deletion that marks it; nil if there is none
}

// next sets values and gone to those of the next row, and reports whether there is one.
func (n *newest) next() bool {
	for n.err == nil {
		if n.marked != nil {
			n.values[len(n.t.Columns)+rows.AsOfAt], n.marked, n.gone = *n.marked, nil, false
			return true
		}
		last := len(n.batches) - 1
		if last < 0 {
			return false
		}
		batch := n.batches[last]
		left := len(batch.GetRecords()) - n.record // n.record counts from the end
		if left == 0 {
			n.batches, n.record = n.batches[:last], 0
			continue
		}
		n.record++
		record := batch.GetRecords()[left-1]
		if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
			n.replace(batch, record)
		} else if n.convert(batch, record) {
			return true
		}
	}
	return false
}

// convert turns a record into a row and reports whether there is one to yield.
func (n *newest) convert(batch *connectorv1.RecordBatch, record *connectorv1.Record) bool {
	operation := n.split(batch, record)
	if n.err != nil {
		return false
	}
	const upsert, remove = connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE
	n.key = n.t.AppendKey(n.key[:0], n.values)
	given, ok := n.seen[string(n.key)]
	if ok && (operation == remove || given == upsert || !n.d.opts.SoftDeletes) {
		return false
	}
	n.seen[string(n.key)] = operation
	n.gone = operation == remove
	if deletedAt, replaced := n.replacedAt(batch); replaced && !ok && operation == upsert {
		asOf := &n.values[len(n.t.Columns)+rows.AsOfAt]
		if n.d.opts.SoftDeletes {
			version := *asOf
			n.marked = &version
		}
		*asOf, n.gone = deletedAt, true
	}
	return true
}

// store adds the statement that stores a state.
func (d *Destination) store(rest *queue, state *connectorv1.StreamState) error {
	content, err := rows.EncodeState(state)
	if err != nil {
		return err
	}
	arrived := "0"
	if t := d.tables[state.GetStream()]; d.opts.Append && t != nil {
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + t.qualified() + ")"
	}
	rest.exec("INSERT INTO "+d.stateTable()+" AS s (stream, account, state, stored_at, arrived) VALUES ($1, $2, $3, now(), "+
		arrived+") ON CONFLICT (stream, account) DO UPDATE SET "+
		"state = excluded.state, stored_at = excluded.stored_at, arrived = excluded.arrived",
		state.GetStream(), state.GetAccount(), content)
	return nil
}

// complete adds the statements that remove or mark the rows of generations before the completed one, unless that was done
// already.
func (d *Destination) complete(rest *queue, c client.Completion) error {
	t := d.tables[c.Stream]
	if t == nil {
		return rows.UnexpectedStream(c.Stream)
	}
	if c.Generation <= d.completed[client.StreamKey{Stream: c.Stream, Account: c.Account}] {
		return nil
	}
	if t.Keys > 0 {
		rest.exec(t.complete(d.opts), c.Account, c.Generation)
	}
	if t.refused {
		rest.exec("DELETE FROM "+d.qualified(rows.RefusedTable)+" WHERE stream = $1 AND account = $2 AND generation < $3",
			c.Stream, c.Account, c.Generation)
	}
	arrived := "arrived"
	if d.opts.Append {
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + t.qualified() + ")"
	}
	rest.exec("UPDATE "+d.stateTable()+" SET completed = $1, arrived = "+arrived+
		" WHERE stream = $2 AND account = $3", c.Generation, c.Stream, c.Account)
	return nil
}
