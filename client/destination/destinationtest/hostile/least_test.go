package hostile_test

import (
	"os/exec"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest/hostile"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
)

// TestLeastPrivilege runs the documented script, then syncs as the role that the script creates.
func TestLeastPrivilege(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed: install it (Debian: apt-get install postgresql-client) to run this test")
	}
	server := postgrestest.Start(t)
	p := newPlace(t, server)
	p.exec(t, "DROP SCHEMA stripe", "REVOKE ALL ON SCHEMA public FROM PUBLIC")
	p.exec(t, "DO $$ BEGIN EXECUTE 'REVOKE ALL ON DATABASE ' || current_database() || ' FROM PUBLIC'; END $$")
	for range 2 { // it can be run again
		out, err := exec.CommandContext(t.Context(), psql, "-X", "-d", server.Address("tester", p.database, ""), "-v", "database="+p.database,
			"-v", "schema=stripe", "-v", "role=loader", "-f", "../../../../docs/sql/postgres-least-privilege.sql").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	p.name = server.Address("loader", p.database, "schema=stripe")
	hostile.Run(t, p, hostile.Case{})
}
