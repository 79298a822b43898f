package hostile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest/hostile"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
)

// place is a separate database for a separate role, which owns the schema "stripe" in it.
type place struct {
	server   *postgrestest.Server
	database string // also the name of the role
	options  string
	name     string // the destination's name, if not the server's address
}

var places atomic.Int64

func newPlace(t *testing.T, server *postgrestest.Server) *place {
	t.Helper()
	p := &place{server: server, database: fmt.Sprintf("case_%d", places.Add(1)), options: "schema=stripe"}
	run(t, server.URL(""), "CREATE ROLE "+p.database+" LOGIN", "CREATE DATABASE "+p.database+" TEMPLATE template0")
	p.exec(t, "CREATE SCHEMA stripe AUTHORIZATION "+p.database)
	return p
}

// Name implements hostile.Place.
func (p *place) Name() string {
	if p.name != "" {
		return p.name
	}
	return p.server.Address(p.database, p.database, p.options)
}

// exec executes statements as the superuser. ROLE stands for the role of the place.
func (p *place) exec(t *testing.T, statements ...string) {
	t.Helper()
	run(t, p.server.Address("tester", p.database, ""), p.named(statements)...)
}

func (p *place) named(statements []string) (named []string) {
	for _, s := range statements {
		named = append(named, strings.ReplaceAll(s, "ROLE_NAME", p.database))
	}
	return named
}

func run(t *testing.T, address string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// hold executes statements in a transaction that stays open for d, or until the test ends.
func (p *place) hold(t *testing.T, user string, d time.Duration, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.server.Address(user, p.database, "application_name=nosy"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append([]string{"BEGIN"}, statements...) {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-time.After(d):
		case <-t.Context().Done():
		}
		_ = conn.Close(t.Context())
	}()
	t.Cleanup(func() { <-done })
}

// strings returns the only column of a query's rows.
func (p *place) strings(t *testing.T, query string, args ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.server.Address("tester", p.database, "client_encoding=UTF8"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	found, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

// Rows implements hostile.Place.
func (p *place) Rows(t *testing.T, stream string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, row := range p.strings(t, `SELECT jsonb_build_object('amount', amount, 'card', card, 'id', id, 'note', note, 'paid', paid)::text
FROM stripe.`+stream+` WHERE _extra IS NULL`) {
		var object struct{ ID string }
		if err := json.Unmarshal([]byte(row), &object); err != nil {
			t.Fatal(err)
		}
		all[object.ID] = row
	}
	return all
}

// Everything implements hostile.Place.
func (p *place) Everything(t *testing.T) string {
	t.Helper()
	all := p.strings(t, "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema' ORDER BY 1")
	for _, table := range p.strings(t, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname !~ '^pg_|^information_schema' ORDER BY 1`) {
		all = append(all, p.strings(t, "SELECT '"+table+" ' || count(*) || coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM "+table+" AS t")...)
	}
	return strings.Join(all, "\n")
}

// pgCase is a case with additional settings for PostgreSQL.
type pgCase struct {
	hostile.Case
	place func(p *place)
	// statements executed by the superuser
	before, during, between, healed []string
}

func (c pgCase) run(t *testing.T, server *postgrestest.Server) {
	p := newPlace(t, server)
	if c.place != nil {
		c.place(p)
	}
	statements := func(all []string, f func(*testing.T)) func(*testing.T) {
		if all == nil {
			return f
		}
		return func(t *testing.T) { p.exec(t, all...) }
	}
	c.Before, c.During = statements(c.before, c.Before), statements(c.during, c.During)
	c.Between, c.Healed = statements(c.between, c.Between), statements(c.healed, c.Healed)
	for i := range c.Refused {
		c.Refused[i] = strings.ReplaceAll(c.Refused[i], "ROLE_NAME", p.database)
	}
	hostile.Run(t, p, c.Case)
}

func refused(parts ...string) hostile.Case { return hostile.Case{Refused: parts} }

func warned(parts ...string) hostile.Case { return hostile.Case{Warned: parts} }

// role returns statements that set parameters of the role.
func role(settings ...string) (statements []string) {
	for _, s := range settings {
		statements = append(statements, "ALTER ROLE ROLE_NAME SET "+s)
	}
	return statements
}

func TestPostgreSQLSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	server := postgrestest.Start(t)
	cases := map[string]func(*testing.T){}
	for name, c := range map[string]pgCase{
		"undisturbed":     {},
		"client encoding": {before: role("client_encoding = 'LATIN1'")},
		"of the database": {before: []string{"DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET client_encoding = SQL_ASCII'; END $$"}},
		"in the address":  {place: func(p *place) { p.options += "&options=-c%20DateStyle%3DGerman%20-c%20client_encoding%3DLATIN2" }},
		"strings":         {before: role("standard_conforming_strings = off", "quote_all_identifiers = on", "extra_float_digits = -15", "DateStyle = 'German'")},
		"transactions":    {before: role("default_transaction_read_only = on", "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on")},
		"timeouts": {before: append(role("statement_timeout = 500", "idle_in_transaction_session_timeout = 20", "lock_timeout = 1"),
			"DO $$ BEGIN EXECUTE 'ALTER ROLE ROLE_NAME SET idle_session_timeout = 500'; EXCEPTION WHEN undefined_object THEN NULL; END $$"), between: []string{"CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$", "CREATE TRIGGER slow BEFORE INSERT ON stripe.charges EXECUTE FUNCTION public.slow()"}, Case: hostile.Case{During: func(*testing.T) { time.Sleep(time.Second) }}},
		"search path":      {before: role("search_path = nowhere")},
		"a user's trigger": {between: []string{"CREATE TABLE public.audit (id text)", "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (new.id); RETURN new; END $$", "GRANT ALL ON public.audit TO ROLE_NAME", "CREATE TRIGGER audit BEFORE INSERT OR UPDATE ON stripe.charges FOR EACH ROW EXECUTE FUNCTION public.note()"}},
	} {
		cases[name] = func(t *testing.T) { c.run(t, server) }
	}
	cases["an encoding without most characters"] = func(t *testing.T) {
		p := newPlace(t, server)
		run(t, server.URL(""), "DROP DATABASE "+p.database, "CREATE DATABASE "+p.database+" ENCODING 'LATIN1' TEMPLATE template0")
		p.exec(t, "CREATE SCHEMA stripe AUTHORIZATION ROLE_NAME")
		hostile.Run(t, p, refused("encoding LATIN1, which can't represent every character", "ENCODING 'UTF8'"))
	}
	together(t, cases)
}

// TestPostgreSQLEnvironment has the environment change the session's settings, and name the server in a service file.
func TestPostgreSQLEnvironment(t *testing.T) {
	if testing.Short() {
		t.Skip("nothing runs at the same time in it")
	}
	server := postgrestest.Start(t)
	p := newPlace(t, server)
	config, err := pgx.ParseConfig(p.Name())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "services")
	write(t, file, fmt.Sprintf("[warehouse]\nhost=%s\nport=%d\nuser=%s\ndbname=%s\n", config.Host, config.Port, config.User, config.Database))
	t.Setenv("PGSERVICEFILE", file)
	t.Setenv("PGOPTIONS", "-c client_encoding=LATIN1 -c DateStyle=German -c standard_conforming_strings=off -c search_path=nowhere "+
		"-c default_transaction_read_only=on -c statement_timeout=500 -c extra_float_digits=-15 -c role="+p.database)
	p.name = "postgres:service=warehouse?schema=stripe"
	hostile.Run(t, p, hostile.Case{During: func(*testing.T) { time.Sleep(time.Second) }})
}

func TestPostgreSQLPrivileges(t *testing.T) {
	if testing.Short() {
		t.Skip("nothing runs at the same time in it")
	}
	server := postgrestest.Start(t)
	cases := map[string]func(*testing.T){}
	minimal := []string{"REVOKE ALL ON SCHEMA stripe FROM ROLE_NAME", "ALTER SCHEMA stripe OWNER TO tester", "GRANT USAGE ON SCHEMA stripe TO ROLE_NAME"}
	for _, table := range []string{"charges", "invoices", "_stripe_connector_state", "_stripe_connector_tables", "_stripe_connector_refused"} {
		minimal = append(minimal, "ALTER TABLE stripe."+table+" OWNER TO tester", "GRANT SELECT, INSERT, UPDATE, DELETE ON stripe."+table+" TO ROLE_NAME")
	}
	with := func(more ...string) []string { return append(minimal[:len(minimal):len(minimal)], more...) }
	for name, c := range map[string]pgCase{
		"usage and rows": {between: minimal},
		"no schema":      {before: []string{"DROP SCHEMA stripe"}, Case: refused("GRANT CREATE ON DATABASE ROLE_NAME TO ROLE_NAME")},
		"no create":      {before: []string{"ALTER SCHEMA stripe OWNER TO tester", "GRANT USAGE ON SCHEMA stripe TO ROLE_NAME"}, Case: refused("GRANT CREATE ON SCHEMA stripe TO ROLE_NAME")},
		"no usage":       {between: []string{"ALTER SCHEMA stripe OWNER TO tester"}, Case: refused("GRANT USAGE ON SCHEMA stripe TO ROLE_NAME")},
		"no temporary":   {before: []string{"DO $$ BEGIN EXECUTE 'REVOKE TEMPORARY ON DATABASE ' || current_database() || ' FROM PUBLIC'; END $$"}}, // none is needed
		"no update":      {between: with("REVOKE UPDATE, DELETE ON stripe.charges FROM ROLE_NAME"), Case: refused("GRANT UPDATE, DELETE ON TABLE stripe.charges TO ROLE_NAME")},
		"no states":      {between: with("REVOKE SELECT ON stripe._stripe_connector_state FROM ROLE_NAME"), Case: refused("GRANT SELECT ON TABLE stripe._stripe_connector_state TO ROLE_NAME")},
		"row security":   {between: with("ALTER TABLE stripe.charges ENABLE ROW LEVEL SECURITY"), Case: refused("ALTER ROLE ROLE_NAME BYPASSRLS")},
		"not the owner":  {between: with("ALTER TABLE stripe.charges DROP COLUMN note"), Case: refused(`have tester run: ALTER TABLE "stripe"."charges" ADD COLUMN "note" text`)},
		"no connections": {before: []string{"ALTER ROLE ROLE_NAME CONNECTION LIMIT 0"}, Case: refused("has no connections left", "too many connections")},
		"no login":       {before: []string{"ALTER ROLE ROLE_NAME NOLOGIN"}, Case: refused("that the role has LOGIN", "is not permitted to log in")},
	} {
		cases[name] = func(t *testing.T) { c.run(t, server) }
	}
	together(t, cases)
}

func TestPostgreSQLTables(t *testing.T) {
	if testing.Short() {
		t.Skip("nothing runs at the same time in it")
	}
	server := postgrestest.Start(t)
	cases := map[string]func(*testing.T){}
	for name, c := range map[string]pgCase{
		"dropped in the middle":   {during: []string{"DROP TABLE stripe.charges"}, Case: warned("Table charges is gone")},
		"truncated in the middle": {during: []string{"TRUNCATE stripe.charges"}, Case: warned("Table charges is empty")},
		"dropped":                 {between: []string{"DROP TABLE stripe.charges"}, Case: warned("Table charges is gone")},
		"renamed":                 {between: []string{"ALTER TABLE stripe.charges RENAME TO old"}, Case: warned("Table charges is gone")},
		"truncated":               {between: []string{"TRUNCATE stripe.charges"}, Case: warned("Table charges is empty")},
		"all tables dropped":      {during: []string{"DROP SCHEMA stripe CASCADE", "CREATE SCHEMA stripe AUTHORIZATION ROLE_NAME"}},
		"states dropped":          {between: []string{"DROP TABLE stripe._stripe_connector_state"}},
		"column dropped":          {between: []string{"ALTER TABLE stripe.charges DROP COLUMN note"}, Case: warned("Column note of table charges is gone")},
		"column altered":          {between: []string{"ALTER TABLE stripe.charges ALTER COLUMN amount TYPE numeric"}, Case: refused("column amount of table charges", "has type numeric, which syncs don't use: change it to")},
		"column of the user":      {between: []string{"ALTER TABLE stripe.charges ADD COLUMN mine date DEFAULT now(), ADD COLUMN twice bigint GENERATED ALWAYS AS (amount * 2) STORED, ADD COLUMN _operation int"}},
		"must not be NULL":        {between: []string{"ALTER TABLE stripe.charges ADD COLUMN mine text DEFAULT '' NOT NULL", "ALTER TABLE stripe.charges ALTER COLUMN mine DROP DEFAULT"}, Case: refused("column mine of table charges", "SET DEFAULT", "violates not-null constraint")},
		"a view that depends":     {between: []string{"CREATE VIEW public.v AS SELECT * FROM stripe.charges"}},
	} {
		cases[name] = func(t *testing.T) { c.run(t, server) }
	}
	together(t, cases)
}

func TestPostgreSQLLocks(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	server := postgrestest.Start(t)
	together(t, map[string]func(*testing.T){"a table that someone locks": func(t *testing.T) {
		p := newPlace(t, server)
		hostile.Run(t, p, hostile.Case{
			During: func(t *testing.T) {
				p.hold(t, p.database, 12*time.Second, "LOCK TABLE stripe.charges IN EXCLUSIVE MODE")
			},
			Warned: []string{"blocked by pid ", "user " + p.database + ", application nosy, idle in transaction", "LOCK TABLE stripe.charges", "SELECT pg_terminate_backend("},
		})
	}, "a reader while the table must change": func(t *testing.T) {
		p := newPlace(t, server)
		hostile.Run(t, p, hostile.Case{
			Between: func(t *testing.T) {
				p.exec(t, "ALTER TABLE stripe.charges DROP COLUMN note")
				p.hold(t, "tester", 4*time.Second, "SELECT count(*) FROM stripe.charges")
			},
			Warned: []string{"blocked by pid ", "user tester, application nosy: wait until"},
		})
	}})
}

func TestPostgreSQLInterruptions(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	const others = "FROM pg_stat_activity WHERE application_name = 'stripe-connector' AND datname = current_database()"
	server := postgrestest.Start(t)
	for name, c := range map[string]pgCase{
		"a backend ended":     {during: []string{"SELECT pg_terminate_backend(pid) " + others}, Case: warned("ended the session")},
		"a query cancelled":   {during: []string{"SELECT pg_cancel_backend(pid) " + others}},
		"the server restarts": {Case: hostile.Case{During: func(t *testing.T) { server.Restart(t) }}},
		"the server crashes":  {Case: hostile.Case{During: func(t *testing.T) { server.Crash(t) }}},
	} {
		t.Run(name, func(t *testing.T) { c.run(t, server) })
	}
}

// TestPostgreSQLStandby syncs to a read-only server.
func TestPostgreSQLStandby(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	server := postgrestest.Start(t)
	p := newPlace(t, server)
	server.Standby(t)
	hostile.Run(t, p, refused("is read-only, as a standby is: connect to the primary", "read-only transaction"))
}

// TestPostgreSQLKilledAtRandom crashes the server several times, at random moments of a sync.
func TestPostgreSQLKilledAtRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	server := postgrestest.Start(t)
	p := newPlace(t, server)
	var crashing sync.WaitGroup
	hostile.Run(t, p, hostile.Case{
		During: func(t *testing.T) {
			crashing.Go(func() {
				for range 4 {
					time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
					server.Crash(t)
				}
			})
			time.Sleep(200 * time.Millisecond)
		},
		Between: func(*testing.T) { crashing.Wait() },
	})
}

func TestPostgreSQLPoolers(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for databases")
	}
	server := postgrestest.Start(t)
	cases := map[string]func(*testing.T){}
	for mode, c := range map[string]hostile.Case{
		"session":     {},
		"transaction": refused("pooler in transaction mode", "pool_mode=session"),
		"statement":   refused("pooler in transaction mode", "pool_mode=session"),
	} {
		for _, setting := range []string{"server_round_robin = 0", "server_round_robin = 1", "default_pool_size = 1"} {
			cases[mode+", "+setting] = func(t *testing.T) {
				p := newPlace(t, server)
				pooler := server.Pool(t, mode, []string{"tester", p.database}, setting)
				p.name = pooler.Address(p.database, p.database, "schema=stripe")
				hostile.Run(t, p, c)
				locks := p.strings(t, `SELECT pid::text FROM pg_locks WHERE locktype = 'advisory'
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
				if len(locks) > 0 {
					t.Errorf("advisory locks are left behind by %s", locks)
				}
			}
		}
	}
	together(t, cases)
}

// TestPostgreSQLRows makes tables refuse rows. These must be reported and set aside, and all others stored. Once rows are
// accepted again, the refused ones must be stored too.
func TestPostgreSQLRows(t *testing.T) {
	if testing.Short() {
		t.Skip("nothing runs at the same time in it")
	}
	server := postgrestest.Start(t)
	cases := map[string]func(*testing.T){}
	for name, c := range map[string]struct{ before, healed []string }{
		"a trigger": {
			[]string{"CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id IN ('id_0007', 'id_0300') THEN RAISE 'no % please', new.note; END IF; RETURN new; END $$", "CREATE TRIGGER no BEFORE INSERT OR UPDATE ON stripe.charges FOR EACH ROW EXECUTE FUNCTION public.no()"},
			[]string{"DROP TRIGGER no ON stripe.charges"},
		},
		"a check": {
			[]string{"ALTER TABLE stripe.charges ADD CONSTRAINT few CHECK (id NOT IN ('id_0007', 'id_0300')) NOT VALID"},
			[]string{"ALTER TABLE stripe.charges DROP CONSTRAINT few"},
		},
		"a foreign key": {
			[]string{"CREATE TABLE public.known AS SELECT id FROM stripe.charges WHERE id NOT IN ('id_0007', 'id_0300')", "ALTER TABLE public.known ADD PRIMARY KEY (id)", "INSERT INTO public.known SELECT 'id_' || i FROM generate_series(1000, 9999) AS i ON CONFLICT DO NOTHING", "ALTER TABLE stripe.charges ADD CONSTRAINT known FOREIGN KEY (id) REFERENCES public.known NOT VALID", "GRANT SELECT, REFERENCES ON public.known TO ROLE_NAME"},
			[]string{"ALTER TABLE stripe.charges DROP CONSTRAINT known"},
		},
		"a deferred foreign key": {
			[]string{"CREATE TABLE public.known AS SELECT id FROM stripe.charges WHERE id NOT IN ('id_0007', 'id_0300')", "ALTER TABLE public.known ADD PRIMARY KEY (id)", "INSERT INTO public.known SELECT 'id_' || i FROM generate_series(1000, 9999) AS i ON CONFLICT DO NOTHING", "ALTER TABLE stripe.charges ADD CONSTRAINT known FOREIGN KEY (id) REFERENCES public.known DEFERRABLE INITIALLY DEFERRED NOT VALID", "GRANT SELECT, REFERENCES ON public.known TO ROLE_NAME"},
			[]string{"ALTER TABLE stripe.charges DROP CONSTRAINT known"},
		},
	} {
		cases[name] = func(t *testing.T) {
			p := newPlace(t, server)
			hostile.Run(t, p, hostile.Case{
				Between: func(t *testing.T) {
					p.exec(t, c.before...)
					p.exec(t, "TRUNCATE stripe.charges") // makes the next sync send every row again
				},
				SetAside: map[string][]string{"charges": {"id_0007", "id_0300"}},
				Unset:    func(t *testing.T) { p.exec(t, c.healed...) },
			})
		}
	}
	together(t, cases)
}
