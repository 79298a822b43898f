package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Commit stores records and states, and removes what did not come back, in one transaction.
func (d *Destination) Commit(ctx context.Context, c client.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	var staged []*table // now, which a rollback takes back
	err := pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		for _, batches := range byStream(c.Records) {
			t := d.tables[batches[0].GetStream()]
			if t == nil {
				return rows.Unasked(batches[0].GetStream())
			}
			if !t.staged {
				staged = append(staged, t)
			}
			if err := d.load(ctx, tx, t, batches); err != nil {
				return fmt.Errorf("load %s: %w", t.Stream, err)
			}
		}
		for _, state := range c.States {
			if err := d.store(ctx, tx, state); err != nil {
				return err
			}
		}
		for _, completion := range c.Completed {
			if err := d.complete(ctx, tx, completion); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, t := range staged {
			t.staged = false
		}
		return d.explain(err)
	}
	for _, completion := range c.Completed {
		d.completed[lane{completion.Stream, completion.Account}] = completion.Generation
	}
	return nil
}

// patient gives a context that ends some time after ctx: the driver closes the connection when a context ends, and what is
// read already is worth storing.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-later.Done():
		}
	})
	return later, func() { stop(); cancel() }
}

// byStream gathers the batches of each stream, in order.
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

// load stores the records of a stream.
func (d *Destination) load(ctx context.Context, tx pgx.Tx, t *table, batches []*connectorv1.RecordBatch) error {
	if d.opts.Append {
		return d.loadVersions(ctx, tx, t, batches)
	}
	if !t.staged {
		if _, err := tx.Exec(ctx, t.createStage()); err != nil {
			return err
		}
		t.staged = true
	}
	source := &newest{reader: reader{d: d, t: t}, batches: batches, seen: map[string]int16{}}
	names := append(t.names[:len(t.names):len(t.names)], "_gone")
	if err := source.copyTo(ctx, tx, pgx.Identifier{"pg_temp", t.stageName()}, names, source); err != nil {
		return err
	}
	// What was there before these records is matched first: the rows that came after are merged later, and those that came
	// before are left out of what was staged, or staged to be marked.
	for _, m := range source.matches {
		for _, one := range m.found {
			source.queue(one.batch, one.record, m.columns, one.values)
		}
	}
	if err := source.sendQueue(ctx, tx); err != nil {
		return err
	}
	var statements []string
	if source.upserts {
		statements = append(statements, t.merge())
	}
	if source.deletions {
		statements = append(statements, t.remove(d.opts))
	}
	for _, statement := range append(statements, "TRUNCATE "+t.stage()) {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// loadVersions appends every record of a stream. A DELETE_MATCHING looks at those before it, so that it parts them.
func (d *Destination) loadVersions(ctx context.Context, tx pgx.Tx, t *table, batches []*connectorv1.RecordBatch) error {
	source := &versions{reader: reader{d: d, t: t}, batches: batches}
	for source.more() {
		if err := source.copyTo(ctx, tx, pgx.Identifier{t.Name}, t.names, source); err != nil {
			return err
		}
		for source.more() && source.matching() {
			batch := source.batches[0]
			record := batch.GetRecords()[source.record]
			columns, values, err := d.splitter.Match(t.Table, record)
			if err != nil {
				return err
			}
			source.queue(batch, record, columns, values)
			source.record++
		}
		if err := source.sendQueue(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// reader turns the records of a stream into rows to copy.
type reader struct {
	d      *Destination
	t      *table
	values []any
	err    error
	batch  pgx.Batch // of removals
}

// copyTo copies rows. An error of a record is given as it is, not in the server's words for what came of it.
func (r *reader) copyTo(ctx context.Context, tx pgx.Tx, to pgx.Identifier, names []string, source pgx.CopyFromSource) error {
	_, err := tx.CopyFrom(ctx, to, names, source)
	if r.err != nil {
		return r.err
	}
	return err
}

// queue notes a removal of what matches.
func (r *reader) queue(batch *connectorv1.RecordBatch, record *connectorv1.Record, columns []int, values []any) {
	args := []any{batch.GetAccount(), batch.GetGeneration()}
	if !r.d.opts.Append {
		args[1] = nil
		if at := record.GetAsOf(); at != nil {
			args[1] = at.AsTime()
		}
	}
	r.batch.Queue(r.t.removeMatching(columns, r.d.opts), append(args, values...)...)
}

// sendQueue does the removals, in one round trip.
func (r *reader) sendQueue(ctx context.Context, tx pgx.Tx) error {
	if r.batch.Len() == 0 {
		return nil
	}
	err := tx.SendBatch(ctx, &r.batch).Close()
	r.batch = pgx.Batch{}
	return err
}

// split sets the values of a record, and leaves one more place.
func (r *reader) split(batch *connectorv1.RecordBatch, record *connectorv1.Record) connectorv1.Operation {
	switch record.GetOperation() {
	case connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE:
	default:
		r.err = rows.Unknown(r.t.Stream, record.GetOperation())
		return 0
	}
	width := len(r.t.Columns) + rows.OwnValues
	if r.values == nil {
		r.values = make([]any, width+1)
	}
	r.err = r.d.splitter.Split(r.t.Table, batch, record, r.values[:width])
	return record.GetOperation()
}

// Values implements pgx.CopyFromSource.
func (r *reader) Values() ([]any, error) { return r.values, nil }

// Err implements pgx.CopyFromSource.
func (r *reader) Err() error { return r.err }

// versions gives every record of a stream as a row, in order, up to the next DELETE_MATCHING.
type versions struct {
	reader
	batches []*connectorv1.RecordBatch
	record  int // the next of the first batch
}

// more tells whether there is another record.
func (v *versions) more() bool {
	for len(v.batches) > 0 && v.record == len(v.batches[0].GetRecords()) {
		v.batches, v.record = v.batches[1:], 0
	}
	return len(v.batches) > 0
}

// matching tells whether the next record is a DELETE_MATCHING.
func (v *versions) matching() bool {
	return v.batches[0].GetRecords()[v.record].GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING
}

// Next implements pgx.CopyFromSource.
func (v *versions) Next() bool {
	if v.err != nil || !v.more() || v.matching() {
		return false
	}
	operation := v.split(v.batches[0], v.batches[0].GetRecords()[v.record])
	v.record++
	if v.err != nil {
		return false
	}
	v.values[len(v.values)-1] = strings.TrimPrefix(operation.String(), "OPERATION_")
	return true
}

// newest gives the last version of each row only, since a statement cannot replace a row twice: it goes through the records
// from the end and leaves out what it has seen. A deletion that marks its row is preceded by the version that it marks.
type newest struct {
	reader
	batches            []*connectorv1.RecordBatch
	record             int              // how many of the last batch were read, from its end
	seen               map[string]int16 // what was given last, by key
	key                []byte
	matches            []*match
	upserts, deletions bool
}

// match is what the DELETE_MATCHING records read so far say of the same columns.
type match struct {
	columns []int
	found   []found
	gone    map[string]bool // by values and account
}

type found struct {
	batch  *connectorv1.RecordBatch
	record *connectorv1.Record
	values []any
}

// Next implements pgx.CopyFromSource.
func (n *newest) Next() bool {
	for n.err == nil {
		last := len(n.batches) - 1
		if last < 0 {
			return false
		}
		batch := n.batches[last]
		left := len(batch.GetRecords()) - n.record
		if left == 0 {
			n.batches, n.record = n.batches[:last], 0
			continue
		}
		n.record++
		if n.take(batch, batch.GetRecords()[left-1]) {
			return true
		}
	}
	return false
}

// take tells whether a record is to be copied.
func (n *newest) take(batch *connectorv1.RecordBatch, record *connectorv1.Record) bool {
	if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
		n.err = n.note(batch, record)
		return false
	}
	operation := n.split(batch, record)
	if n.err != nil {
		return false
	}
	n.key = n.t.AppendKey(n.key[:0], n.values)
	given, seen := n.seen[string(n.key)]
	what := stagedUpsert
	switch {
	case operation == connectorv1.Operation_OPERATION_DELETE:
		what = stagedDelete
		if seen {
			return false
		}
	case seen && (given != stagedDelete || !n.d.opts.SoftDeletes):
		return false
	case n.matched(batch):
		if !n.d.opts.SoftDeletes {
			return false
		}
		if !seen {
			what = stagedMarked
		}
	}
	n.seen[string(n.key)] = what
	n.values[len(n.values)-1] = what
	n.upserts = n.upserts || what != stagedDelete
	n.deletions = n.deletions || what != stagedUpsert
	return true
}

// note notes a DELETE_MATCHING.
func (n *newest) note(batch *connectorv1.RecordBatch, record *connectorv1.Record) error {
	columns, values, err := n.d.splitter.Match(n.t.Table, record)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(n.matches, func(m *match) bool { return slices.Equal(m.columns, columns) })
	if i < 0 {
		i = len(n.matches)
		n.matches = append(n.matches, &match{columns: columns, gone: map[string]bool{}})
	}
	m := n.matches[i]
	m.found = append(m.found, found{batch, record, values})
	m.gone[string(rows.AppendValues(nil, append(slices.Clone(values), batch.GetAccount())))] = true
	return nil
}

// matched tells whether a later record says that rows with such values are gone.
func (n *newest) matched(batch *connectorv1.RecordBatch) bool {
	for _, m := range n.matches {
		values := make([]any, 0, len(m.columns)+1)
		for _, column := range m.columns {
			values = append(values, n.values[column])
		}
		if m.gone[string(rows.AppendValues(nil, append(values, batch.GetAccount())))] {
			return true
		}
	}
	return false
}

// store stores a state.
func (d *Destination) store(ctx context.Context, tx pgx.Tx, state *connectorv1.StreamState) error {
	content, err := rows.EncodeState(state)
	if err != nil {
		return err
	}
	arrived := "0"
	if t := d.tables[state.GetStream()]; d.opts.Append && t != nil {
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + rows.Quote(t.Name) + ")"
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+rows.StateTable+" (stream, account, state, stored_at, arrived) VALUES ($1, $2, $3, now(), "+
		arrived+") ON CONFLICT (stream, account) DO UPDATE SET "+
		"state = excluded.state, stored_at = excluded.stored_at, arrived = excluded.arrived",
		state.GetStream(), state.GetAccount(), content)
	return err
}

// complete removes or marks the rows of generations before that which was read to its end, once.
func (d *Destination) complete(ctx context.Context, tx pgx.Tx, c client.Completion) error {
	t := d.tables[c.Stream]
	if t == nil {
		return rows.Unasked(c.Stream)
	}
	if c.Generation <= d.completed[lane{c.Stream, c.Account}] {
		return nil
	}
	if t.Keys > 0 {
		if _, err := tx.Exec(ctx, t.complete(d.opts), c.Account, c.Generation); err != nil {
			return err
		}
	}
	arrived := "arrived"
	if d.opts.Append {
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + rows.Quote(t.Name) + ")"
	}
	_, err := tx.Exec(ctx, "UPDATE "+rows.StateTable+" SET completed = $1, arrived = "+arrived+
		" WHERE stream = $2 AND account = $3", c.Generation, c.Stream, c.Account)
	return err
}
