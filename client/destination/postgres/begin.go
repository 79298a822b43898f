package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// createdAtOnce is the number of tables that a transaction creates. It needs about five locks for each. A server has 64 per
// connection that it accepts.
const createdAtOnce = 20

// Begin creates the tables of the streams or migrates them to the schemas, and reads the states. In append mode it removes
// versions that no state covers, since they will be sent again. It reconnects if the connection was lost.
func (d *Destination) Begin(ctx context.Context, streams []*connectorv1.Stream) (begun client.BeginResult, err error) {
	if d.conn.IsClosed() {
		if err := d.connect(ctx); err != nil {
			return begun, err
		}
		if err := d.lock(ctx); err != nil {
			return begun, err
		}
	}
	d.notices, d.names = nil, nil
	var names []string
	var tables []*table
	for _, stream := range streams {
		layout, err := rows.LayOut(stream, d.opts)
		if err != nil {
			return begun, err
		}
		names, d.names = append(names, stream.GetName()), append(d.names, layout.Name)
		tables = append(tables, &table{Table: layout, schema: d.schema})
	}
	if err := d.checkPrivileges(ctx, d.names); err != nil {
		return begun, err
	}
	if err := d.createOwn(ctx); err != nil { // again, in case something dropped them since Open
		return begun, err
	}
	there, err := d.find(ctx, d.names...)
	if err != nil {
		return begun, d.explain(ctx, err)
	}
	known, err := d.storedIdentities(ctx, names)
	if err != nil {
		return begun, d.explain(ctx, err)
	}
	var missing, different []*preparation
	for _, t := range tables {
		a, err := d.examineTable(ctx, t, there[t.Name], known[t.Stream])
		switch {
		case err != nil:
			return begun, fmt.Errorf("prepare the table of %s: %w", t.Stream, d.explain(ctx, err))
		case a == nil: // there is nothing to do
		case a.now.isMissing():
			missing = append(missing, a)
		default:
			different = append(different, a)
		}
	}
	for some := range slices.Chunk(missing, createdAtOnce) {
		if err := d.prepareTables(ctx, some...); err != nil {
			return begun, err
		}
	}
	for _, a := range different { // one by one, since each change locks its table
		if err := d.prepareTables(ctx, a); err != nil {
			return begun, err
		}
	}
	for _, t := range tables {
		t.setNames(d.opts)
		d.tables[t.Stream] = t
	}
	if begun.Refused, err = d.retry(ctx, names); err != nil {
		return begun, fmt.Errorf("retry refused records: %w", d.explain(ctx, err))
	}
	begun.States, err = d.states(ctx, names)
	begun.Notices = d.notices
	return begun, d.explain(ctx, err)
}

// preparation is what Begin does to a table.
type preparation struct {
	*table
	now        foundTable
	ours       *foundTable // see migration
	reason     string      // why the table was lost, or ""
	statements []string
}

// examineTable determines how to prepare a table for rows, given its current form and what is remembered of it, which may be
// nil. It returns nil if the table needs no change, so that a role without the right to change tables can fill tables that
// are already correct.
func (d *Destination) examineTable(ctx context.Context, t *table, now foundTable, was *foundTable) (*preparation, error) {
	reason, ours := t.examine(&now, was)
	statements, taken, err := d.migration(ctx, t, now, ours)
	if err != nil {
		return nil, err
	}
	for _, field := range taken {
		d.notices = append(d.notices, client.Notice{Stream: t.Stream, Message: rows.TakenNotice(t.Name, field)})
	}
	if len(statements) > 0 || reason != "" || was == nil || d.opts.Append {
		return &preparation{t, now, ours, reason, statements}, nil
	}
	t.known = d.newIdentity(t, now, ours)
	t.known.Filled = was.Filled // as stored
	return nil, nil
}

// prepareTables changes tables in one transaction.
func (d *Destination) prepareTables(ctx context.Context, all ...*preparation) error {
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
	}
	lost := make([]bool, len(all))
	err := d.change(ctx, names, func(p *pipeline) error {
		for i, a := range all {
			p.doing = "prepare the table of " + a.Stream
			if a.reason != "" {
				d.forget(p, a.table, a.now, &lost[i])
			}
			for _, statement := range a.statements {
				p.exec(statement)
			}
			if d.opts.Append {
				p.exec(fmt.Sprintf("DELETE FROM %s AS t WHERE _arrival > coalesce("+
					"(SELECT arrived FROM %s AS s WHERE s.stream = $1 AND s.account = t._account), 0)", a.qualified(), d.stateTable()),
					a.Stream)
			}
		}
		p.doing = ""
		now := map[string]foundTable{}
		d.queryTables(p, names, now)
		d.queryFilled(p, names, now)
		if err := p.await(); err != nil {
			return err
		}
		for _, a := range all {
			p.doing = "remember the table of " + a.Stream
			d.storeIdentity(p, a.table, now[a.Name], a.ours)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, a := range all {
		if lost[i] {
			d.notices = append(d.notices, client.Notice{Stream: a.Stream, Message: a.reason + rows.RereadNotice})
		}
	}
	return nil
}

// states reads the stored states of the streams.
func (d *Destination) states(ctx context.Context, streams []string) ([]*connectorv1.StreamState, error) {
	found, err := d.conn.Query(ctx, "SELECT stream, account, state, completed FROM "+d.stateTable()+
		" WHERE stream = ANY($1) ORDER BY stream, account", streams)
	if err != nil {
		return nil, err
	}
	var states []*connectorv1.StreamState
	var stream, account, content string
	var completed int64
	_, err = pgx.ForEachRow(found, []any{&stream, &account, &content, &completed}, func() error {
		d.completed[client.StreamKey{Stream: stream, Account: account}] = completed
		if content == "" { // cleared because the table was lost
			return nil
		}
		state, err := rows.DecodeState(stream, account, content)
		states = append(states, state)
		return err
	})
	return states, err
}
