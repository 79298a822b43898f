package postgres_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const upsert = connectorv1.Operation_OPERATION_UPSERT

func TestContract(t *testing.T) {
	server := postgrestest.Start(t)
	var places atomic.Int64
	destinationtest.Run(t, destinationtest.Subject{
		Modes: []destinationtest.Mode{destinationtest.Replace, destinationtest.Mark, destinationtest.Keep},
		New:   func(*testing.T) string { return fmt.Sprintf("place %d", places.Add(1)) },
		Open: func(place string, mode destinationtest.Mode) (client.Destination, error) {
			return postgres.Open(t.Context(), server.URL(""), postgres.Options{Schema: place, LockWait: 200 * time.Millisecond,
				SoftDeletes: mode == destinationtest.Mark, Append: mode == destinationtest.Keep})
		},
		Rows: func(place string, _ destinationtest.Mode) ([]destinationtest.Row, error) {
			var all []destinationtest.Row
			for _, table := range tables(t, server, place) {
				stream := table
				if strings.HasPrefix(table, "odd") {
					stream = destinationtest.Streams()[1].GetName()
				}
				for _, row := range query(t, server, place, "SELECT * FROM "+table) {
					arrival, _ := row["_arrival"].(int64)
					all = append(all, destinationtest.Row{Stream: stream, Account: row["_account"].(string), ID: row["id"].(string),
						Data: object(t, row), Deleted: row["_deleted_at"] != nil || row["_operation"] == "DELETE", Arrival: arrival})
				}
			}
			return all, nil
		},
		Extra: func(place string) (n int, err error) {
			for _, table := range tables(t, server, place) {
				n += len(query(t, server, place, "SELECT 1 FROM "+table+" WHERE _extra IS NOT NULL"))
			}
			return n, nil
		},
		Lose: map[string]func(*testing.T, string){
			"dropped":                statements(server, "DROP TABLE charges"),
			"renamed":                statements(server, "ALTER TABLE charges RENAME TO _mine"),
			"emptied":                statements(server, "TRUNCATE charges"),
			"rows deleted":           statements(server, "DELETE FROM charges"),
			"replaced":               statements(server, "CREATE TABLE _mine (LIKE charges INCLUDING ALL)", "DROP TABLE charges", "ALTER TABLE _mine RENAME TO charges"),
			"column dropped":         statements(server, "ALTER TABLE charges DROP COLUMN name"),
			"column of ours dropped": statements(server, "ALTER TABLE charges DROP COLUMN _as_of"),
			"column made again":      statements(server, "ALTER TABLE charges DROP COLUMN n", "ALTER TABLE charges ADD COLUMN n bigint"),
			"last column made again": statements(server, "ALTER TABLE charges DROP COLUMN _extra", "ALTER TABLE charges ADD COLUMN _extra json"),
		},
		Refuse: map[string]func(*testing.T, string){
			"a trigger": statements(server, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF new.id IN ('id_c', 'id_e') THEN RAISE 'no'; END IF; RETURN new; END $$`,
				"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON charges FOR EACH ROW EXECUTE FUNCTION refuse()"),
			"a constraint": statements(server, "ALTER TABLE charges ADD CONSTRAINT refuse CHECK (id NOT IN ('id_c', 'id_e'))"),
			"an index":     statements(server, "CREATE UNIQUE INDEX refuse ON charges ((CASE WHEN id IN ('id_c', 'id_e') THEN 1 / (length(id) - 4) END))"),
		},
		Accept: statements(server, "DROP TRIGGER IF EXISTS refuse ON charges", "ALTER TABLE charges DROP CONSTRAINT IF EXISTS refuse",
			"DROP INDEX IF EXISTS refuse"),
		Alter: map[string]func(*testing.T, string){
			"a column":            statements(server, "ALTER TABLE charges ADD COLUMN mine text NOT NULL DEFAULT 'x'"),
			"a column like ours":  statements(server, "ALTER TABLE charges ADD COLUMN _mine int NOT NULL DEFAULT 1"),
			"a generated column":  statements(server, "ALTER TABLE charges ADD COLUMN mine_twice bigint GENERATED ALWAYS AS (n * 2) STORED"),
			"an index and a view": statements(server, "CREATE INDEX mine ON charges (n)", "CREATE INDEX ON charges (lower(name))", "CREATE VIEW _few AS SELECT id FROM charges"),
			"a comment":           statements(server, "COMMENT ON TABLE charges IS 'mine'"),
			"rewritten":           statements(server, "VACUUM FULL charges"),
		},
	})
}

// statements returns a function that executes statements in a schema.
func statements(server *postgrestest.Server, all ...string) func(*testing.T, string) {
	return func(t *testing.T, schema string) {
		t.Helper()
		for _, statement := range all {
			query(t, server, schema, statement)
		}
	}
}

// tables returns the names of the streams' tables.
func tables(t *testing.T, server *postgrestest.Server, schema string) []string {
	var names []string
	for _, row := range query(t, server, schema,
		`SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE '\_%'`) {
		names = append(names, row["tablename"].(string))
	}
	return names
}

// object returns a row of destinationtest as the JSON object it was made from.
func object(t *testing.T, row map[string]any) string {
	t.Helper()
	members, _ := row["_extra"].(map[string]any)
	if members == nil {
		members = map[string]any{}
	}
	for name, value := range row {
		if strings.HasPrefix(name, "_") || strings.HasPrefix(name, "mine") || value == nil {
			continue
		}
		if text, ok := value.(string); ok && strings.HasPrefix(text, "{") {
			value = json.RawMessage(text)
		}
		members[name] = value
	}
	content, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// query returns the rows of a query, by column.
func query(t *testing.T, server *postgrestest.Server, schema, statement string) []map[string]any {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `SET search_path TO "`+schema+`"`); err != nil {
		t.Fatal(err)
	}
	found, err := conn.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToMap)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// stream returns a stream with these properties, given as JSON.
func stream(t testing.TB, name, properties string, key ...string) *connectorv1.Stream {
	t.Helper()
	schema := &structpb.Struct{}
	if err := protojson.Unmarshal([]byte(`{"properties":`+properties+`}`), schema); err != nil {
		t.Fatal(err)
	}
	return &connectorv1.Stream{Name: name, PrimaryKey: key, JsonSchema: schema}
}

// load opens a destination, stores records, and closes it.
func load(t *testing.T, server *postgrestest.Server, opts postgres.Options, s *connectorv1.Stream, records ...string) error {
	t.Helper()
	d, err := postgres.Open(t.Context(), server.URL(""), opts)
	if err != nil {
		return err
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := d.Begin(t.Context(), []*connectorv1.Stream{s}); err != nil {
		return err
	}
	batch := &connectorv1.RecordBatch{Stream: s.GetName()}
	for _, data := range records {
		batch.Records = append(batch.Records, &connectorv1.Record{Data: data, Operation: upsert})
	}
	return d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{batch}})
}

func TestValues(t *testing.T) {
	server := postgrestest.Start(t)
	properties := `{"id":{"type":"string"},"amount":{"type":"integer"},"rate":{"type":"number"},"paid":{"type":"boolean"},
"note":{"type":"string"},"card":{"type":"object"},"any":{},"default":{"type":"string"},"Order By":{"type":"string"},
"` + strings.Repeat("long", 20) + `":{"type":"integer"},"` + strings.Repeat("long", 20) + `er":{"type":"integer"}}`
	tests := map[string]struct {
		data string
		want map[string]any
	}{
		"each kind": {`{"amount":12,"rate":1.5,"paid":true,"note":"\u00e9\"","card":{"n":[1]}}`, map[string]any{
			"amount": int64(12), "rate": 1.5, "paid": true, "note": "é\"", "card": map[string]any{"n": []any{1.0}}}},
		"NUL":                  {`{"note":"a\u0000b"}`, map[string]any{"_extra": "{\"note\":\"a\\u0000b\"}"}},
		"NUL below":            {`{"card":{"a":"\u0000"}}`, map[string]any{"_extra": "{\"card\":{\"a\":\"\\u0000\"}}"}},
		"half a pair":          {`{"card":["\ud800"]}`, map[string]any{"_extra": "{\"card\":[\"\\ud800\"]}"}},
		"half a pair, as text": {`{"note":"a\ud800"}`, map[string]any{"_extra": "{\"note\":\"a\\ud800\"}"}},
		"number of no end":     {`{"card":[1e400000]}`, map[string]any{"_extra": "{\"card\":[1e400000]}"}},
		"no such number":       {`{"card":["1e400000"],"any":1e400000}`, map[string]any{"card": []any{"1e400000"}, "any": "1e400000"}},
		"misfits":              {`{"amount":1.5,"paid":0,"card":"x"}`, map[string]any{"_extra": `{"amount":1.5,"paid":0,"card":"x"}`}},
		"reserved names":       {`{"default":"d","Order By":"o"}`, map[string]any{"default": "d", "order_by_29654d4e": "o"}},
		"names too long": {`{"` + strings.Repeat("long", 20) + `":1,"` + strings.Repeat("long", 20) + `er":2}`, map[string]any{
			strings.Repeat("long", 20)[:54] + "_5aa1dce7": int64(1), strings.Repeat("long", 20)[:54] + "_34c86f2e": int64(2)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			schema := strings.ReplaceAll(t.Name(), "/", " ")
			err := load(t, server, postgres.Options{Schema: schema}, stream(t, "charges", properties, "id"),
				`{"id":"x",`+test.data[1:])
			if err != nil {
				t.Fatal(err)
			}
			query(t, server, schema, "ALTER TABLE charges ALTER COLUMN _extra TYPE text") // to see it as stored
			got := query(t, server, schema, "SELECT * FROM charges")[0]
			for name, value := range got {
				if value == nil {
					delete(got, name)
				}
			}
			for _, other := range []string{"id", "_account", "_generation", "_synced_at"} {
				delete(got, other)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
