package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

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
	there, err := d.find(ctx, d.conn, d.names...)
	if err != nil {
		return begun, d.explain(ctx, err)
	}
	known, err := d.storedIdentities(ctx, names)
	if err != nil {
		return begun, d.explain(ctx, err)
	}
	for _, t := range tables {
		if err := d.beginTable(ctx, t, there[t.Name], known[t.Stream]); err != nil {
			return begun, fmt.Errorf("prepare the table of %s: %w", t.Stream, d.explain(ctx, err))
		}
	}
	if begun.Refused, err = d.retry(ctx, names); err != nil {
		return begun, fmt.Errorf("retry refused records: %w", d.explain(ctx, err))
	}
	begun.States, err = d.states(ctx, names)
	begun.Notices = d.notices
	return begun, d.explain(ctx, err)
}

// beginTable prepares a table for rows, given its current form and what is remembered of it. It makes only the necessary
// changes, so that a role without the right to change tables can fill tables that are already correct.
func (d *Destination) beginTable(ctx context.Context, t *table, now foundTable, was *foundTable) error {
	reason, ours := t.examine(&now, was)
	statements, taken, err := d.migration(ctx, t, now, ours)
	if err != nil {
		return err
	}
	lost := false
	if len(statements) > 0 || reason != "" || was == nil || d.opts.Append {
		err = d.change(ctx, t.Name, func(tx pgx.Tx) (err error) {
			if reason != "" {
				if lost, err = d.forget(ctx, tx, t, now); err != nil {
					return err
				}
			}
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement); err != nil {
					return err
				}
			}
			if d.opts.Append {
				if _, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s AS t WHERE _arrival > coalesce("+
					"(SELECT arrived FROM %s AS s WHERE s.stream = $1 AND s.account = t._account), 0)", t.qualified(), d.stateTable()),
					t.Stream); err != nil {
					return err
				}
			}
			return d.storeIdentity(ctx, tx, t, ours)
		})
		if err != nil {
			return err
		}
	} else {
		t.known = d.newIdentity(t, now, ours)
		t.known.Filled = was.Filled // as stored
	}
	if lost {
		d.notices = append(d.notices, client.Notice{Stream: t.Stream, Message: reason + rows.RereadNotice})
	}
	for _, field := range taken {
		d.notices = append(d.notices, client.Notice{Stream: t.Stream, Message: rows.TakenNotice(t.Name, field)})
	}
	t.setNames(d.opts)
	d.tables[t.Stream] = t
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
