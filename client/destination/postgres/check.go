package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// checker is the state of a running check.
type checker struct {
	*Destination
	findings []client.Finding
}

// errRolledBack makes the transaction of a check roll back.
var errRolledBack = errors.New("rolled back")

// Check tests what a sync of the streams would do, in a transaction that it rolls back. It doesn't touch tables with rows,
// but asks the catalog and the planner about them.
func Check(ctx context.Context, address string, opts Options, streams []*connectorv1.Stream) ([]client.Finding, error) {
	d, err := newDestination(address, opts)
	if err != nil {
		return []client.Finding{{Subject: "parse the destination", Verdict: client.FindingProblem, Message: err.Error()}}, nil
	}
	c := &checker{Destination: d}
	err = d.connect(ctx)
	if !c.add("connect to "+d.where, err) {
		return c.findings, ctx.Err()
	}
	defer d.Close()
	err = c.session(ctx)
	if err == nil {
		err = c.privileges(ctx, streams)
	}
	if err == nil {
		err = c.tables(ctx, streams)
	}
	if err != nil && ctx.Err() == nil {
		c.add("query the catalog", d.explain(ctx, err))
	}
	return c.findings, ctx.Err()
}

// add adds a finding: that a sync can do something, or why it can't. It reports whether err is nil.
func (c *checker) add(subject string, err error, remedy ...string) bool {
	f := client.Finding{Subject: subject, Verdict: client.FindingOK}
	if err != nil {
		f.Verdict, f.Message, f.Remedy = client.FindingProblem, err.Error(), remedy
	}
	c.findings = append(c.findings, f)
	return err == nil
}

func (c *checker) addNote(subject, message string, remedy ...string) {
	c.findings = append(c.findings, client.Finding{Subject: subject, Verdict: client.FindingNote, Message: message, Remedy: remedy})
}

// session reports on anything between the sync and the database, and on settings of the role and the database.
func (c *checker) session(ctx context.Context) error {
	if c.backend.pooled {
		c.addNote("pooler", "the connection goes through a pooler in session mode: each sync occupies one of its connections throughout")
	}
	answer, err := c.conn.Query(ctx, `SELECT DISTINCT setting FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
	AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1`)
	if err != nil {
		return err
	}
	others, err := pgx.CollectRows(answer, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, other := range others {
		name, value, _ := strings.Cut(other, "=")
		i := slices.IndexFunc(settings, func(s [2]string) bool { return strings.EqualFold(s[0], name) })
		if i >= 0 {
			c.addNote("setting "+name, fmt.Sprintf("the role or the database sets %s = %s; a sync sets %s for its own session", name, value, settings[i][1]))
		}
	}
	var standby bool
	if err := c.conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return err
	}
	if standby {
		c.add("write", fmt.Errorf("the server of %s is a standby, which is read-only: connect to the primary", c.where))
	}
	if holders := c.lockHolders(ctx); len(holders) > 0 {
		c.addNote("lock", "another sync is writing to "+c.where+": it is "+holders[0].String())
	}
	return nil
}

// privileges reports the privileges that the role lacks.
func (c *checker) privileges(ctx context.Context, streams []*connectorv1.Stream) error {
	c.names = nil
	for _, s := range streams {
		c.names = append(c.names, rows.SafeName(s.GetName()))
	}
	all := append(c.names[:len(c.names):len(c.names)], rows.StateTable, rows.TablesTable, rows.RefusedTable)
	missing, err := c.missingPrivileges(ctx, all)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		err = fmt.Errorf("user %s lacks privileges in %s: have a superuser or the owner run these statements", c.backend.user, c.where)
	}
	c.add("privileges of user "+c.backend.user, err, missing...)
	return nil
}

// tables tries to create what is missing, and reports what a sync would change in existing tables.
func (c *checker) tables(ctx context.Context, streams []*connectorv1.Stream) error {
	there, err := c.find(ctx, c.names...)
	if err != nil {
		return err
	}
	known := map[string]*foundTable{}
	if state, err := c.find(ctx, rows.TablesTable); err != nil {
		return err
	} else if len(state) > 0 {
		var names []string
		for _, s := range streams {
			names = append(names, s.GetName())
		}
		if known, err = c.storedIdentities(ctx, names); err != nil {
			return err
		}
	}
	var create []string
	for _, s := range streams {
		layout, err := rows.LayOut(s, c.opts)
		if !c.add("lay out "+s.GetName(), err) {
			continue
		}
		c.findings = c.findings[:len(c.findings)-1] // with this many streams, report only problems
		t := &table{Table: layout, schema: c.schema}
		now := there[t.Name]
		reason, ours := t.examine(&now, known[t.Stream])
		statements, taken, err := c.migration(ctx, t, now, ours)
		if err != nil {
			c.add("table "+t.Name, err)
			continue
		}
		t.setNames(c.opts)
		if now.isMissing() {
			create = append(create, statements...)
			continue
		}
		if reason != "" && known[t.Stream] != nil {
			c.addNote("table "+t.Name, reason+rows.RereadNotice)
		}
		if len(statements) > 0 {
			c.addNote("table "+t.Name, "a sync will change it", statements...)
		}
		for _, field := range taken {
			c.addNote("table "+t.Name, rows.TakenNotice(t.Name, field))
		}
		if err := c.existing(ctx, t, now); err != nil {
			return err
		}
	}
	err = c.change(ctx, []string{rows.StateTable}, func(p *pipeline) error {
		if err := c.addOwn(p); err != nil {
			return err
		}
		for _, statement := range create {
			p.exec(statement)
		}
		if err := p.await(); err != nil {
			return err
		}
		return errRolledBack
	})
	if errors.Is(err, errRolledBack) {
		err = nil
	}
	c.add(fmt.Sprintf("create missing objects in schema %s", c.schema), err)
	return nil
}

// existing checks a table with rows: whether the planner accepts the statements that fill it, and whether any of the
// user's objects is in the way.
func (c *checker) existing(ctx context.Context, t *table, now foundTable) error {
	answer, err := c.conn.Query(ctx, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
	AND attnotnull AND NOT atthasdef AND attidentity = '' AND attname <> ALL($2) ORDER BY attnum`, now.oid, append(t.names, append(c.opts.OwnColumns(), rows.Arrival)...))
	if err != nil {
		return err
	}
	required, err := pgx.CollectRows(answer, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, column := range required {
		c.add("table "+t.Name, fmt.Errorf("column %s must not be NULL, but syncs never set it: give it a default or drop NOT NULL", column),
			fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT …", t.qualified(), rows.Quote(column)))
	}
	answer, err = c.conn.Query(ctx, `SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal AND tgenabled <> 'D'
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE conrelid = $1 AND contype IN ('f', 'c', 'u', 'x') ORDER BY 1`, now.oid)
	if err != nil {
		return err
	}
	guards, err := pgx.CollectRows(answer, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if len(guards) > 0 {
		c.addNote("table "+t.Name, "records that "+strings.Join(guards, ", ")+" rejects are set aside in "+rows.RefusedTable)
	}
	return nil
}
