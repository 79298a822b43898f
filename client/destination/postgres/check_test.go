package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestCheck tests that a check finds everything that would make a sync fail, and that it changes nothing.
func TestCheck(t *testing.T) {
	server := postgrestest.Start(t)
	streams := []*connectorv1.Stream{
		stream(t, "charges", `{"id":{"type":"string"},"n":{"type":"integer"}}`, "id"),
		stream(t, "refunds", `{"id":{"type":"string"}}`, "id"),
	}
	tests := map[string]struct {
		before []string // statements; ROLE_NAME stands for the role, and the schema has the same name
		want   []string // parts of the findings
		fails  bool
	}{
		"nothing there": {want: []string{"ok connect to schema", "ok privileges of user", "ok create missing objects"}},
		"no schema":     {before: []string{"DROP SCHEMA ROLE_NAME CASCADE"}, want: []string{"problem privileges of user", "GRANT CREATE ON DATABASE postgres TO ROLE_NAME", "problem create missing objects"}, fails: true},
		"no create":     {before: []string{"ALTER SCHEMA ROLE_NAME OWNER TO tester", "GRANT USAGE ON SCHEMA ROLE_NAME TO ROLE_NAME"}, want: []string{"GRANT CREATE ON SCHEMA ROLE_NAME TO ROLE_NAME"}, fails: true},
		"settings":      {before: []string{"ALTER ROLE ROLE_NAME SET statement_timeout = '30s'", "ALTER ROLE ROLE_NAME SET client_encoding = 'LATIN1'"}, want: []string{"note setting statement_timeout: the role or the database sets statement_timeout = 30s; a sync sets 0", "note setting client_encoding"}},
		"a column":      {before: []string{"CREATE TABLE ROLE_NAME.charges (id text NOT NULL, _account text NOT NULL, _generation bigint, _as_of timestamptz, _event_id text, _extra json, _synced_at timestamptz, PRIMARY KEY (id, _account))", "ALTER TABLE ROLE_NAME.charges OWNER TO ROLE_NAME"}, want: []string{`note table charges: a sync will change it`, `ADD COLUMN "n" bigint`}},
		"must not be NULL": {before: []string{"CREATE TABLE ROLE_NAME.charges (id text NOT NULL, n bigint, mine date NOT NULL, _account text NOT NULL, _generation bigint, _as_of timestamptz, _event_id text, _extra json, _synced_at timestamptz, PRIMARY KEY (id, _account), CHECK (n > 0))", "ALTER TABLE ROLE_NAME.charges OWNER TO ROLE_NAME"},
			want: []string{"problem table charges: column mine must not be NULL", "SET DEFAULT", "note table charges: records that constraint charges_n_check rejects are set aside"}, fails: true},
		"of something else": {before: []string{"CREATE TABLE ROLE_NAME.charges (id text)", "ALTER TABLE ROLE_NAME.charges OWNER TO ROLE_NAME"}, want: []string{"problem table charges: table charges in schema", "was not created by a sync"}, fails: true},
	}
	n := 0
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n++
			role := fmt.Sprintf("check_%d", n)
			named := func(s string) string { return strings.ReplaceAll(s, "ROLE_NAME", role) }
			query(t, server, "public", "CREATE ROLE "+role+" LOGIN")
			query(t, server, "public", "CREATE SCHEMA "+role+" AUTHORIZATION "+role)
			for _, statement := range test.before {
				query(t, server, "public", named(statement))
			}
			const everything = "SELECT n.nspname || '.' || c.relname AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information' ORDER BY 1"
			before := query(t, server, "public", everything)
			findings, err := postgres.Check(t.Context(), server.Address(role, "postgres", ""), postgres.Options{Schema: role}, streams)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			failed := false
			for _, f := range findings {
				failed = failed || f.Verdict == client.FindingProblem
				all = append(all, string(f.Verdict)+" "+f.Subject+": "+f.Message+"\n"+strings.Join(f.Remedy, "\n"))
			}
			message := strings.Join(all, "\n")
			for _, want := range test.want {
				if !strings.Contains(strings.ReplaceAll(message, "connect to schema "+role, "connect to schema"), named(want)) {
					t.Errorf("no finding has %q:\n%s", named(want), message)
				}
			}
			if failed != test.fails {
				t.Errorf("a sync would fail: got %t, want %t:\n%s", failed, test.fails, message)
			}
			if diff := cmp.Diff(before, query(t, server, "public", everything)); diff != "" {
				t.Errorf("the check changed something (-before +after):\n%s", diff)
			}
		})
	}
}
