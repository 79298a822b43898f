package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// column is a column of a table in the database.
type column struct {
	rows.Column
	declared  string // the type, as the catalog spells it
	generated bool   // computed by the database, so it can't be written
}

// foundTable describes a table as it is in the database.
type foundTable struct {
	rows.Identity
	oid     uint32  // 0 if the table doesn't exist
	numbers []int16 // the columns' attribute numbers; a column that was dropped and re-created has a new one
	columns []column
	key     string   // the columns of the primary key
	indexes []string // the columns of each index
	comment string
	owner   string
	owned   bool // whether the user owns it, directly or through a role
}

// commentedID matches the ID in a table's comment.
var commentedID = regexp.MustCompile(`stripe-connector table (\w+)`)

// tablesQuery is the query for tables with their columns and indexes.
const tablesQuery = `SELECT c.relname, c.oid, coalesce(obj_description(c.oid, 'pg_class'), ''), pg_get_userbyid(c.relowner)::text,
	pg_has_role(c.relowner, 'USAGE'),
	ARRAY(SELECT (i.indisprimary::int || ' ' || (SELECT string_agg(k.attname, ', ' ORDER BY place)
		FROM unnest(i.indkey) WITH ORDINALITY AS p (number, place) JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attnum = p.number))
		FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
	array_agg(a.attname::text ORDER BY a.attnum), array_agg(a.attnum ORDER BY a.attnum),
	array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum),
	array_agg(coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '' OR a.attidentity = 'a' ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE n.nspname = $1 AND c.relname = ANY($2) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY c.oid, c.relname, c.relowner`

// collectTables adds the tables that tablesQuery found, by name.
func collectTables(answer pgx.Rows, all map[string]foundTable) error {
	_, err := pgx.CollectRows(answer, func(row pgx.CollectableRow) (struct{}, error) {
		var f foundTable
		var name string
		var types, indexes []string
		var generated []bool
		err := row.Scan(&name, &f.oid, &f.comment, &f.owner, &f.owned, &indexes, &f.Columns, &f.numbers, &types, &generated)
		for i, c := range f.Columns {
			kind, _ := kindOf(types[i])
			f.columns = append(f.columns, column{rows.Column{Path: c, Name: c, Kind: kind}, types[i], generated[i]})
		}
		for _, index := range indexes {
			columns, primary := strings.CutPrefix(index, "1 ")
			if primary {
				f.key = columns
			}
			f.indexes = append(f.indexes, strings.TrimPrefix(columns, "0 "))
		}
		if id := commentedID.FindStringSubmatch(f.comment); id != nil {
			f.ID = id[1]
		}
		all[name] = f
		return struct{}{}, err
	})
	return err
}

// find looks up tables by name. Tables that don't exist are zero.
func (d *Destination) find(ctx context.Context, names ...string) (map[string]foundTable, error) {
	all := map[string]foundTable{}
	err := d.pipelined(ctx, func(p *pipeline) error {
		d.queryTables(p, names, all)
		if err := p.await(); err != nil {
			return err
		}
		d.queryFilled(p, slices.Collect(maps.Keys(all)), all)
		return nil
	})
	return all, err
}

// queryTables adds the query for tables with these names, which adds those that exist to all.
func (d *Destination) queryTables(p *pipeline, names []string, all map[string]foundTable) {
	p.query(func(answer pgx.Rows) error { return collectTables(answer, all) }, tablesQuery, d.schema, names)
}

// queryFilled adds the queries for whether tables have rows, which update these tables in all.
func (d *Destination) queryFilled(p *pipeline, names []string, all map[string]foundTable) {
	for _, name := range names {
		p.boolean(func(filled bool) {
			f := all[name]
			f.Filled = filled
			all[name] = f
		}, "SELECT EXISTS (SELECT FROM "+d.qualified(name)+")")
	}
}

func (f foundTable) isMissing() bool { return f.oid == 0 }

// lossReason compares now with the table that f describes. It returns a sentence that says what happened to the table, or "" if
// it is still the same one. A table with the same oid is the same table, whatever its comment. A table that was dumped and
// restored has a new oid and is recognized by its comment.
func (f foundTable) lossReason(t *table, now foundTable) string {
	if now.oid != f.oid {
		return f.LossReason(t.Name, now.Identity, now.isMissing())
	}
	now.ID = f.ID
	if sentence := f.LossReason(t.Name, now.Identity, now.isMissing()); sentence != "" {
		return sentence
	}
	for i, name := range f.Columns {
		if at := slices.Index(now.Columns, name); i < len(f.numbers) && now.numbers[at] != f.numbers[i] {
			return fmt.Sprintf("Column %s of table %s is not the one that earlier syncs filled: something else dropped and re-added it.",
				name, t.Name)
		}
	}
	return ""
}

// storedIdentities returns the stored identities of the tables of these streams.
func (d *Destination) storedIdentities(ctx context.Context, streams []string) (map[string]*foundTable, error) {
	answer, err := d.conn.Query(ctx, "SELECT stream, oid, id, columns, numbers, filled FROM "+d.qualified(rows.TablesTable)+
		" WHERE stream = ANY($1)", streams)
	if err != nil {
		return nil, err
	}
	all := map[string]*foundTable{}
	_, err = pgx.CollectRows(answer, func(row pgx.CollectableRow) (struct{}, error) {
		var stream string
		var f foundTable
		err := row.Scan(&stream, &f.oid, &f.ID, &f.Columns, &f.numbers, &f.Filled)
		all[stream] = &f
		return struct{}{}, err
	})
	return all, err
}

// examine compares a table with what is remembered of it, which may be nil. It returns why the table was lost, or "", and
// the table as syncs created it. If ours is nil, the columns that syncs created are those that the stream defines.
func (t *table) examine(now *foundTable, was *foundTable) (reason string, ours *foundTable) {
	switch {
	case was != nil:
		reason = was.lossReason(t, *now)
		if was.oid == now.oid {
			now.ID = was.ID
		}
	case now.isMissing():
		reason = rows.Identity{}.LossReason(t.Name, now.Identity, true)
	}
	if now.isMissing() || was != nil && was.ID != now.ID {
		return reason, nil
	}
	return reason, was
}

// forget adds the statement that clears the states of a lost table, and sets any if there were any.
func (d *Destination) forget(p *pipeline, t *table, now foundTable, any *bool) {
	arrived := "0"
	if d.opts.Append && !now.isMissing() && hasColumn(now.columns, rows.Arrival) { // existing versions stay
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + t.qualified() + ")"
	}
	p.scan("UPDATE "+d.stateTable()+" SET state = '', arrived = "+arrived+" WHERE stream = $1 AND state <> '' RETURNING true", any, t.Stream)
}

// newIdentity returns the identity of a table to remember, with only the columns that syncs created.
func (d *Destination) newIdentity(t *table, now foundTable, ours *foundTable) foundTable {
	known := now
	known.Columns, known.numbers = nil, nil
	for i, name := range now.Columns {
		made := slices.Contains(t.Names(), name) || name[0] == '_' && slices.Contains(append(d.opts.OwnColumns(), rows.Arrival), name) ||
			name == rows.DeletedAt && t.marked
		if made || ours != nil && slices.Contains(ours.Columns, name) {
			known.Columns, known.numbers = append(known.Columns, name), append(known.numbers, now.numbers[i])
		}
	}
	return known
}

// storeIdentity adds the statements that store the identity of a table as it is now, after its migration.
func (d *Destination) storeIdentity(p *pipeline, t *table, now foundTable, ours *foundTable) {
	if ours != nil {
		now.ID = ours.ID
	}
	if now.ID == "" {
		now.ID = rows.NewID()
	}
	if now.owned && !slices.Contains(commentedID.FindStringSubmatch(now.comment), now.ID) {
		comment := strings.TrimSpace(commentedID.ReplaceAllString(now.comment, "") + " stripe-connector table " + now.ID)
		p.exec("COMMENT ON TABLE " + t.qualified() + " IS " + literal(comment))
	}
	t.known = d.newIdentity(t, now, ours)
	p.exec("INSERT INTO "+d.qualified(rows.TablesTable)+` (stream, oid, id, columns, numbers, filled) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (stream) DO UPDATE SET oid = excluded.oid, id = excluded.id, columns = excluded.columns, numbers = excluded.numbers, filled = excluded.filled`,
		t.Stream, now.oid, now.ID, t.known.Columns, t.known.numbers, now.Filled)
}

// examineTouched adds statements that lock the touched tables against changes until the transaction ends, and look at them.
// Once their results are there, unchanged returns an interruption if anything else has changed one of the tables since Begin,
// so that the states must be re-read.
func (d *Destination) examineTouched(p *pipeline, touched []*table) (unchanged func() error) {
	if len(touched) == 0 {
		return func() error { return nil }
	}
	var names []string
	for _, t := range touched {
		p.exec("LOCK TABLE " + t.qualified() + " IN ROW EXCLUSIVE MODE")
		names = append(names, t.Name)
	}
	all := map[string]foundTable{}
	d.queryTables(p, names, all)
	d.queryFilled(p, names, all)
	return func() error {
		for _, t := range touched {
			if reason := t.known.lossReason(t, all[t.Name]); reason != "" {
				return &client.Interruption{Err: errors.New(reason)}
			}
		}
		return nil
	}
}

// updateFilled adds the statements that record whether the tables of a commit now have rows. Tables for which that has changed
// are added to changed.
func (d *Destination) updateFilled(p *pipeline, touched []*table, changed map[*table]bool) {
	for _, t := range touched {
		p.boolean(func(filled bool) { changed[t] = filled }, "UPDATE "+d.qualified(rows.TablesTable)+" AS t SET filled = now.filled"+
			" FROM (SELECT EXISTS (SELECT FROM "+t.qualified()+") AS filled) AS now"+
			" WHERE t.stream = $1 AND t.filled <> now.filled RETURNING t.filled", t.Stream)
	}
}
