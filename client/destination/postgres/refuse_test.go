package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const password = "pa55word"

func TestOpenRefuses(t *testing.T) {
	server := postgrestest.Start(t, "max_connections=20")
	query(t, server, "public", "CREATE ROLE reader LOGIN")
	query(t, server, "public", "REVOKE CREATE ON SCHEMA public FROM PUBLIC") // the default since version 15
	host := strings.TrimPrefix(server.URL(""), "postgres://tester@/postgres")
	tests := map[string]struct{ address, want string }{
		"malformed":   {"postgres://user:" + password + "@host:port/db", "the port in the address is not a number"},
		"escapes":     {"postgres://user:" + password + "%zz@host/db", "is malformed"},
		"sslmode":     {"postgres://user:" + password + "@host/db?sslmode=perhaps", "sslmode in the address must be disable"},
		"nobody":      {"postgres://user:" + password + "@127.0.0.1:1/db", "database db at 127.0.0.1:1 can't be reached: check that it is running"},
		"no database": {"postgres://tester:" + password + "@/nowhere" + host, "doesn't exist: create it, or choose another"},
		"no user":     {"postgres://stranger:" + password + "@/postgres" + host, "refuses user stranger: check the user and the password"},
		"no rights":   {"postgres://reader:" + password + "@/postgres" + host, `GRANT CREATE ON SCHEMA public TO reader`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := postgres.Open(t.Context(), test.address, postgres.Options{})
			if err == nil {
				_ = d.Close()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want something with %q", err, test.want)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error contains the password: %s", err)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	server := postgrestest.Start(t)
	const id = `{"id":{"type":"string"}}`
	tests := map[string]struct {
		before  string // a statement
		opts    postgres.Options
		stream  *connectorv1.Stream
		records []string
		want    string
	}{
		"no key":      {"SELECT", postgres.Options{}, stream(t, "a", id), nil, "no primary key"},
		"not ours":    {"CREATE TABLE a (id text PRIMARY KEY)", postgres.Options{}, stream(t, "a", id, "id"), nil, "was not created by a sync"},
		"other type":  {"ALTER TABLE made ALTER COLUMN n TYPE date USING NULL", postgres.Options{}, stream(t, "made", `{"id":{"type":"string"},"n":{"type":"integer"}}`, "id"), nil, "column n of table made"},
		"other key":   {"SELECT", postgres.Options{}, stream(t, "made", id, "id", "n"), nil, "has another primary key"},
		"other mode":  {"SELECT", postgres.Options{Append: true}, stream(t, "made", id, "id"), nil, "was created without mode=append"},
		"both":        {"SELECT", postgres.Options{Append: true, SoftDeletes: true}, stream(t, "made", id, "id"), nil, "remove deletes=soft"},
		"no JSON":     {"SELECT", postgres.Options{}, stream(t, "made", id, "id"), []string{`{"id":"good"}`, `{"id":`}, "is not a JSON object"},
		"key is null": {"SELECT", postgres.Options{}, stream(t, "made", id, "id"), []string{`{"id":"good"}`, `{"id":null}`}, `no value for its key "id"`},
		"a view depends": {"CREATE VIEW v AS SELECT n FROM made", postgres.Options{},
			stream(t, "made", `{"id":{"type":"string"},"n":{"type":"string"}}`, "id"), nil, "drop what depends on it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			schema := strings.ReplaceAll(t.Name(), "/", " ")
			made := stream(t, "made", `{"id":{"type":"string"},"n":{"type":"integer"}}`, "id")
			if err := load(t, server, postgres.Options{Schema: schema}, made); err != nil {
				t.Fatal(err)
			}
			query(t, server, schema, test.before)
			test.opts.Schema = schema
			err := load(t, server, test.opts, test.stream, test.records...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
			if rows := query(t, server, schema, "SELECT * FROM made"); len(rows) > 0 {
				t.Errorf("%d rows were stored, want none", len(rows))
			}
		})
	}
}

// TestLockIsPerSchema opens two schemas at once, and one of them twice.
func TestLockIsPerSchema(t *testing.T) {
	server := postgrestest.Start(t)
	open := func(schema string) (client.Destination, error) {
		return postgres.Open(t.Context(), server.URL(""), postgres.Options{Schema: schema, LockWait: time.Millisecond})
	}
	first, err := open("a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := open("b")
	if err != nil {
		t.Fatalf("another schema is locked, too: %v", err)
	}
	if _, err := open("a"); err == nil || !strings.Contains(err.Error(), "another sync is writing to schema a") {
		t.Errorf("got %v, want that another sync is at work", err)
	}
	for _, d := range []client.Destination{first, other} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOddSchemas syncs twice into schemas whose names need quoting.
func TestOddSchemas(t *testing.T) {
	server := postgrestest.Start(t)
	for _, schema := range []string{"$do$", `"'; --`, "Öffnung", "a.b", "select", strings.Repeat("x", 63), " "} {
		for range 2 {
			s := stream(t, "charges", `{"id":{"type":"string"}}`, "id")
			if err := load(t, server, postgres.Options{Schema: schema}, s, `{"id":"a"}`); err != nil {
				t.Errorf("schema %q: %v", schema, err)
			}
		}
		rows := query(t, server, strings.ReplaceAll(schema, `"`, `""`), "SELECT * FROM charges")
		if len(rows) != 1 {
			t.Errorf("schema %q has %d rows, want one", schema, len(rows))
		}
	}
	for _, schema := range []string{strings.Repeat("x", 64), "pg_mine", "a\x00b"} {
		if err := load(t, server, postgres.Options{Schema: schema}, stream(t, "charges", `{"id":{"type":"string"}}`, "id")); err == nil {
			t.Errorf("schema %q was accepted", schema)
		}
	}
}

// TestFormerColumnOfAnotherType changes the type of a column that the schema no longer has. Its values go to _extra.
func TestFormerColumnOfAnotherType(t *testing.T) {
	server := postgrestest.Start(t)
	const id = `{"id":{"type":"string"}`
	if err := load(t, server, postgres.Options{}, stream(t, "made", id+`,"n":{"type":"integer"}}`, "id"), `{"id":"a","n":1}`); err != nil {
		t.Fatal(err)
	}
	query(t, server, "public", "ALTER TABLE made ALTER COLUMN n TYPE date USING '2024-01-31'")
	if err := load(t, server, postgres.Options{}, stream(t, "made", id+`}`, "id"), `{"id":"b","n":2}`); err != nil {
		t.Fatal(err)
	}
	got := query(t, server, "public", "SELECT id, n::text AS n, _extra::text AS extra FROM made ORDER BY id")
	want := []map[string]any{{"id": "a", "n": "2024-01-31", "extra": nil}, {"id": "b", "n": nil, "extra": `{"n":2}`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRefusedAtTheEnd shows that a table is not taken for one that something emptied if all its records are refused by a
// constraint that is checked only at the end of a transaction.
func TestRefusedAtTheEnd(t *testing.T) {
	server := postgrestest.Start(t)
	charges := stream(t, "charges", `{"id":{"type":"string"}}`, "id")
	d, err := postgres.Open(t.Context(), server.URL(""), postgres.Options{})
	must(t, err)
	defer d.Close()
	_, err = d.Begin(t.Context(), []*connectorv1.Stream{charges})
	must(t, err)
	query(t, server, "public", "CREATE TABLE allowed (id text PRIMARY KEY)")
	query(t, server, "public", "INSERT INTO allowed VALUES ('ch_2')")
	query(t, server, "public", "ALTER TABLE charges ADD FOREIGN KEY (id) REFERENCES allowed DEFERRABLE INITIALLY DEFERRED")
	var refused []string
	for _, id := range []string{"ch_1", "ch_2"} {
		must(t, d.Commit(t.Context(), client.Commit{
			Records: []*connectorv1.RecordBatch{{Stream: "charges", Records: []*connectorv1.Record{{Operation: upsert, Data: `{"id":"` + id + `"}`}}}},
			Refused: func(r client.Refusal) { refused = append(refused, r.Key) },
		}))
	}
	if diff := cmp.Diff([]string{"ch_1"}, refused); diff != "" {
		t.Errorf("refused records (-want +got):\n%s", diff)
	}
	if rows := query(t, server, "public", "SELECT id FROM charges"); len(rows) != 1 || rows[0]["id"] != "ch_2" {
		t.Errorf("the table has the rows %v, want ch_2", rows)
	}
}
