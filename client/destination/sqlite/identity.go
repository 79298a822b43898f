package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// foundTable describes a table as it is in the database.
type foundTable struct {
	rows.Identity
	columns []rows.Column
	key     []string // the names of the primary key's columns
}

func (f foundTable) isMissing() bool { return len(f.columns) == 0 }

// declaredID matches the ID in a declaration. SQLite preserves the comment through ALTER TABLE, VACUUM and dumps.
var declaredID = regexp.MustCompile(`/\* stripe-connector (\w+) \*/`)

// find looks up a table.
func (d *Destination) find(ctx context.Context, name string) (f foundTable, err error) {
	if f.columns, f.key, err = d.tableInfo(ctx, name); err != nil || f.isMissing() {
		return f, err
	}
	for _, c := range f.columns {
		f.Columns = append(f.Columns, c.Name)
	}
	var declaration string
	if err := d.conn.QueryRowContext(ctx, "SELECT coalesce(sql, '') FROM sqlite_schema WHERE name = ?", name).Scan(&declaration); err != nil {
		return f, err
	}
	if id := declaredID.FindStringSubmatch(declaration); id != nil {
		f.ID = id[1]
	}
	f.Filled, err = d.hasRows(ctx, name)
	return f, err
}

// hasRows reports whether a table has rows.
func (d *Destination) hasRows(ctx context.Context, name string) (filled bool, err error) {
	err = d.conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+rows.Quote(name)+")").Scan(&filled)
	return filled, err
}

// identity returns the stored identity of a stream's table, or nil.
func (d *Destination) identity(ctx context.Context, stream string) (*rows.Identity, error) {
	var i rows.Identity
	var columns string
	err := d.conn.QueryRowContext(ctx, "SELECT id, columns, filled FROM "+rows.TablesTable+" WHERE stream = ?", stream).
		Scan(&i.ID, &columns, &i.Filled)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // nothing is remembered, and nothing is wrong
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(columns), &i.Columns); err != nil {
		return nil, fmt.Errorf("the columns of %s in table %s are not a JSON array: delete that row: %w", stream, rows.TablesTable, err)
	}
	return &i, nil
}

// storeIdentity stores the identity of a table after its migration.
func (d *Destination) storeIdentity(ctx context.Context, t *table, was *rows.Identity) error {
	now, err := d.find(ctx, t.Name)
	if err != nil {
		return err
	}
	now.Columns = slices.DeleteFunc(now.Columns, func(name string) bool {
		made := slices.Contains(t.Names(), name) || name[0] == '_' && slices.Contains(append(d.opts.OwnColumns(), rows.Arrival, rows.DeletedAt), name)
		return !made && (was == nil || !slices.Contains(was.Columns, name))
	})
	t.identity = now.Identity
	columns, err := json.Marshal(now.Columns)
	if err != nil {
		return err
	}
	_, err = d.conn.ExecContext(ctx, "INSERT INTO "+rows.TablesTable+" (stream, id, columns, filled) VALUES (?, ?, ?, ?)"+
		" ON CONFLICT (stream) DO UPDATE SET id = excluded.id, columns = excluded.columns, filled = excluded.filled",
		t.Stream, now.ID, string(columns), now.Filled)
	return err
}

// examine compares a table with its stored identity. If the table was lost, examine clears its states.
func (d *Destination) examine(ctx context.Context, t *table, now foundTable) (was *rows.Identity, err error) {
	var states int
	err = d.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+rows.StateTable+" WHERE stream = ? AND state <> ''", t.Stream).Scan(&states)
	if err != nil {
		return nil, err
	}
	if was, err = d.identity(ctx, t.Stream); err != nil {
		return nil, err
	}
	reason := ""
	if was != nil {
		reason = was.LossReason(t.Name, now.Identity, now.isMissing())
	} else if now.isMissing() {
		reason = rows.Identity{}.LossReason(t.Name, now.Identity, true)
	}
	if reason == "" {
		return was, nil
	}
	if now.isMissing() || was != nil && was.ID != now.ID {
		was = nil // no sync created its columns
	}
	if states > 0 {
		d.notices = append(d.notices, client.Notice{Stream: t.Stream, Message: reason + rows.RereadNotice})
	}
	arrived := "0"
	if d.opts.Append && !now.isMissing() { // existing versions stay
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + rows.Quote(t.Name) + ")"
	}
	_, err = d.conn.ExecContext(ctx, "UPDATE "+rows.StateTable+" SET state = '', arrived = "+arrived+" WHERE stream = ?", t.Stream)
	return was, err
}

// checkUnchanged returns an interruption if anything else has changed a table since Begin, so that the states must be
// re-read. It is called in the transaction of a commit.
func (d *Destination) checkUnchanged(ctx context.Context, c client.Commit) error {
	version, err := d.schemaVersion(ctx)
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	for _, batch := range c.Records {
		touched[batch.GetStream()] = true
	}
	for _, completion := range c.Completed {
		touched[completion.Stream] = true
	}
	for stream, t := range d.tables {
		now := foundTable{Identity: t.identity}
		switch {
		case version != d.version:
			now, err = d.find(ctx, t.Name)
		case touched[stream] && t.identity.Filled:
			now.columns = []rows.Column{{}} // not missing: the schema version has not changed
			now.Filled, err = d.hasRows(ctx, t.Name)
		default:
			continue
		}
		if err != nil {
			return err
		}
		if reason := t.identity.LossReason(t.Name, now.Identity, now.isMissing()); reason != "" {
			return &client.Interruption{Err: errors.New(reason)}
		}
	}
	d.version = version
	return nil
}

// schemaVersion returns a number that changes whenever any table's declaration changes.
func (d *Destination) schemaVersion(ctx context.Context) (version int64, err error) {
	err = d.conn.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version)
	return version, err
}

// updateFilled records whether the tables of a commit now have rows.
func (d *Destination) updateFilled(ctx context.Context, c client.Commit) (changed map[*table]bool, err error) {
	changed = map[*table]bool{}
	look := func(stream string) {
		t := d.tables[stream]
		if t == nil || err != nil {
			return
		}
		if _, known := changed[t]; known {
			return
		}
		var filled bool
		if filled, err = d.hasRows(ctx, t.Name); err != nil || filled == t.identity.Filled {
			return
		}
		changed[t] = filled
		_, err = d.conn.ExecContext(ctx, "UPDATE "+rows.TablesTable+" SET filled = ? WHERE stream = ?", filled, stream)
	}
	for _, batch := range c.Records {
		look(batch.GetStream())
	}
	for _, completion := range c.Completed {
		look(completion.Stream)
	}
	return changed, err
}
