package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// privileges is a query that tests every privilege a sync needs on the schema and on these tables. It returns a GRANT
// statement for each one that the role lacks. Tables that don't exist require the privilege to create them.
const privileges = `WITH target AS (
	SELECT current_user AS role, current_database()::text AS database, $1::text AS schema,
		(SELECT oid FROM pg_namespace WHERE nspname = $1) AS namespace
), wanted AS (
	SELECT name, c.oid, c.relowner FROM target, unnest($2::text[]) AS name
	LEFT JOIN pg_class AS c ON c.relname = name AND c.relnamespace = (SELECT namespace FROM target)
), needs (place, statement) AS (
	SELECT 1, format('GRANT CREATE ON DATABASE %I TO %I', database, role) FROM target
	WHERE namespace IS NULL AND NOT has_database_privilege(database, 'CREATE')
UNION ALL
	SELECT 2, format('GRANT %s ON SCHEMA %I TO %I', privilege, schema, role)
	FROM target, unnest(ARRAY['USAGE', 'CREATE']) AS privilege
	WHERE namespace IS NOT NULL AND NOT has_schema_privilege(namespace, privilege)
		AND (privilege = 'USAGE' OR EXISTS (SELECT FROM wanted WHERE oid IS NULL))
UNION ALL
	SELECT 3, format('GRANT %s ON TABLE %I.%I TO %I', string_agg(privilege, ', ' ORDER BY place), schema, name, role)
	FROM target, wanted, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS p (privilege, place)
	WHERE oid IS NOT NULL AND NOT has_table_privilege(oid, privilege) GROUP BY schema, name, role
UNION ALL
	SELECT 4, format('ALTER ROLE %I BYPASSRLS', role) FROM target
	WHERE EXISTS (SELECT FROM wanted WHERE oid IS NOT NULL AND row_security_active(oid))
)
SELECT statement FROM needs ORDER BY place, statement`

// missingPrivileges returns the statements that grant the privileges the role lacks to sync these tables.
func (d *Destination) missingPrivileges(ctx context.Context, tables []string) ([]string, error) {
	found, err := d.conn.Query(ctx, privileges, d.schema, tables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, pgx.RowTo[string])
}

// checkPrivileges returns an error that lists every privilege the role lacks to sync these tables. It is called before anything
// changes.
func (d *Destination) checkPrivileges(ctx context.Context, tables []string) error {
	statements, err := d.missingPrivileges(ctx, append(tables[:len(tables):len(tables)], rows.StateTable, rows.TablesTable, rows.RefusedTable))
	if err != nil || len(statements) == 0 {
		return d.explain(ctx, err)
	}
	return fmt.Errorf("user %s lacks privileges in %s: have a superuser or the owner run: %s",
		d.backend.user, d.where, strings.Join(statements, "; "))
}

// privilegeError returns the error for a missing privilege that only a failed statement revealed.
func (d *Destination) privilegeError(ctx context.Context, failure *pgconn.PgError) error {
	if err := d.checkPrivileges(ctx, d.names); err != nil {
		return fmt.Errorf("%w: %s", err, serverMessage(failure))
	}
	return fmt.Errorf("user %s lacks a privilege that syncs need in %s; grant what the server names: %s", d.backend.user, d.where, serverMessage(failure))
}

// ownerError returns the error for a change to a table that another role owns.
func (d *Destination) ownerError(t *table, owner string, statements []string) error {
	return fmt.Errorf("table %s in %s must follow its stream's changed schema, but only its owner may change it: have %s run: %s; "+
		"or run ALTER TABLE %s OWNER TO %s", t.Name, d.where, owner, strings.Join(statements, "; "), t.qualified(), rows.Quote(d.backend.user))
}
