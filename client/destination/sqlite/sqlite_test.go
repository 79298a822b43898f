package sqlite_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	"github.com/stripe-connector/stripe-connector/client/destination/sqlite"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestContract(t *testing.T) {
	destinationtest.Run(t, destinationtest.Subject{
		Modes: []destinationtest.Mode{destinationtest.Replace, destinationtest.Mark, destinationtest.Keep},
		New: func(t *testing.T) string {
			folder, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			return filepath.Join(folder, "rows?#%.db")
		},
		Open: func(place string, mode destinationtest.Mode) (client.Destination, error) {
			return sqlite.Open(t.Context(), place,
				sqlite.Options{SoftDeletes: mode == destinationtest.Mark, Append: mode == destinationtest.Keep})
		},
		Rows: func(place string, _ destinationtest.Mode) ([]destinationtest.Row, error) {
			var all []destinationtest.Row
			for _, name := range tables(t, place) {
				stream := name
				if odd := destinationtest.Streams()[1].GetName(); strings.HasPrefix(name, "odd") {
					stream = odd
				}
				for _, row := range query(t, place, "SELECT * FROM "+name) {
					arrival, _ := row["_arrival"].(int64)
					all = append(all, destinationtest.Row{Stream: stream, Account: row["_account"].(string), ID: row["id"].(string),
						Data: object(t, row), Deleted: row["_deleted_at"] != nil || row["_operation"] == "DELETE", Arrival: arrival})
				}
			}
			return all, nil
		},
		Extra: func(place string) (n int, err error) {
			for _, name := range tables(t, place) {
				n += len(query(t, place, "SELECT 1 FROM "+name+" WHERE _extra IS NOT NULL"))
			}
			return n, nil
		},
		Lose: map[string]func(*testing.T, string){
			"dropped":                statements("DROP TABLE charges"),
			"renamed":                statements("ALTER TABLE charges RENAME TO _mine"),
			"emptied":                statements("DELETE FROM charges"),
			"column dropped":         statements("ALTER TABLE charges DROP COLUMN name"),
			"column of ours dropped": statements("ALTER TABLE charges DROP COLUMN _as_of"),
			"column made again":      statements("ALTER TABLE charges DROP COLUMN n", "ALTER TABLE charges ADD COLUMN n INTEGER"),
		},
		Refuse: map[string]func(*testing.T, string){
			"trigger": statements("CREATE TRIGGER refuse BEFORE INSERT ON charges WHEN new.id IN ('id_c', 'id_e') AND new._extra IS NOT NULL " +
				"BEGIN SELECT raise(ABORT, 'not these'); END"),
			"trigger that rolls back": statements("CREATE TRIGGER refuse BEFORE INSERT ON charges WHEN new.id IN ('id_c', 'id_e') AND new._extra IS NOT NULL " +
				"BEGIN SELECT raise(ROLLBACK, 'not these'); END"),
		},
		Accept: statements("DROP TRIGGER refuse"),
		Alter: map[string]func(*testing.T, string){
			"a column":            statements("ALTER TABLE charges ADD COLUMN mine TEXT DEFAULT 'x'"),
			"a column like ours":  statements("ALTER TABLE charges ADD COLUMN _mine NOT NULL DEFAULT 1"),
			"a generated column":  statements("ALTER TABLE charges ADD COLUMN mine_twice AS (n * 2)"),
			"an index and a view": statements("CREATE INDEX mine ON charges (n)", "CREATE VIEW few AS SELECT id FROM charges"),
			"a vacuum":            statements("VACUUM"),
		},
	})
}

// statements returns a function that executes statements on a file.
func statements(all ...string) func(*testing.T, string) {
	return func(t *testing.T, place string) {
		t.Helper()
		for _, statement := range all {
			query(t, place, statement)
		}
	}
}

// tables returns the names of the streams' tables.
func tables(t *testing.T, place string) []string {
	var names []string
	for _, row := range query(t, place, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'") {
		names = append(names, row["name"].(string))
	}
	return names
}

// object returns a row of destinationtest as the JSON object it was made from.
func object(t *testing.T, row map[string]any) string {
	t.Helper()
	members := map[string]any{}
	if extra, ok := row["_extra"].(string); ok {
		if err := json.Unmarshal([]byte(extra), &members); err != nil {
			t.Fatal(err)
		}
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
func query(t *testing.T, path, statement string) []map[string]any {
	t.Helper()
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", "file:"+escaped)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		row := map[string]any{}
		for i, c := range columns {
			row[c] = values[i]
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// stream returns a stream with these properties, given as JSON.
func stream(t *testing.T, name, properties string, key ...string) *connectorv1.Stream {
	t.Helper()
	schema := &structpb.Struct{}
	if err := protojson.Unmarshal([]byte(`{"properties":`+properties+`}`), schema); err != nil {
		t.Fatal(err)
	}
	return &connectorv1.Stream{Name: name, PrimaryKey: key, JsonSchema: schema}
}

// load opens the file, stores records, and closes it.
func load(t *testing.T, path string, s *connectorv1.Stream, records ...string) {
	t.Helper()
	d, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := d.Begin(t.Context(), []*connectorv1.Stream{s}); err != nil {
		t.Fatal(err)
	}
	batch := &connectorv1.RecordBatch{Stream: s.GetName(), Generation: 3}
	for _, data := range records {
		operation := connectorv1.Operation_OPERATION_UPSERT
		if rest, found := strings.CutPrefix(data, "-"); found {
			operation, data = connectorv1.Operation_OPERATION_DELETE, rest
		}
		batch.Records = append(batch.Records, &connectorv1.Record{
			Data: data, Operation: operation, AsOf: timestamppb.New(time.Unix(1_700_000_000, 0))})
	}
	if err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{batch}}); err != nil {
		t.Fatal(err)
	}
}

func TestColumns(t *testing.T) {
	const properties = `{
		"id":{"type":"string"}, "amount":{"type":"integer"}, "rate":{"type":["number","null"]}, "paid":{"type":"boolean"},
		"note":{"type":"string"}, "card":{"type":"object"}, "tags":{"type":"array"},
		"customer":{"anyOf":[{"type":"string"},{"type":"object"}]}, "any":{}, "twin":{"type":"string"}, "Twin":{"type":"string"}, "_extra":{"type":"string"}}`
	tests := map[string]struct {
		data string
		want map[string]any // without columns that are NULL
	}{
		"each type": {
			`{"id":"a","amount":12,"rate":1.5,"paid":true,"note":"x","card":{"n":1},"tags":[1,2]}`,
			map[string]any{"amount": int64(12), "rate": 1.5, "paid": int64(1), "note": "x", "card": `{"n":1}`, "tags": `[1,2]`},
		},
		"null":               {`{"id":"a","amount":null,"card":null}`, map[string]any{}},
		"escapes":            {`{"id":"a","note":"\"\u00e9\\\n","no\"te":1}`, map[string]any{"note": "\"é\\\n", "_extra": `{"no\"te":1}`}},
		"string or object":   {`{"id":"a","customer":"cus_1"}`, map[string]any{"customer": "cus_1"}},
		"object or string":   {`{"id":"a","customer":{"id":"cus_1"}}`, map[string]any{"customer": `{"id":"cus_1"}`}},
		"numbers as written": {`{"id":"a","any":1.10,"amount":9007199254740993}`, map[string]any{"any": "1.10", "amount": int64(9007199254740993)}},
		"false as text":      {`{"id":"a","any":false}`, map[string]any{"any": "false"}},
		"unseen field":       {`{"id":"a","new":{"x":[1]},"newer":2}`, map[string]any{"_extra": `{"new":{"x":[1]},"newer":2}`}},
		"other type":         {`{"id":"a","amount":"12","paid":1}`, map[string]any{"_extra": `{"amount":"12","paid":1}`}},
		"integer too large":  {`{"id":"a","amount":92233720368547758080}`, map[string]any{"_extra": `{"amount":92233720368547758080}`}},
		"would be rounded":   {`{"id":"a","rate":9007199254740993}`, map[string]any{"_extra": `{"rate":9007199254740993}`}},
		"names that clash":   {`{"id":"a","twin":"1","Twin":"2","_extra":"3"}`, map[string]any{"twin": "1", "twin_eac9f8c2": "2", "extra_23339f47": "3"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stripe.db")
			load(t, path, stream(t, "charges", properties, "id"), test.data)
			rows := query(t, path, "SELECT * FROM charges")
			if len(rows) != 1 {
				t.Fatalf("got %d rows, want 1", len(rows))
			}
			got := map[string]any{}
			for column, value := range rows[0] {
				if value != nil {
					got[column] = value
				}
			}
			if _, err := time.Parse(time.RFC3339, got["_synced_at"].(string)); err != nil {
				t.Error(err)
			}
			delete(got, "_synced_at")
			test.want["_generation"], test.want["id"], test.want["_account"], test.want["_as_of"] = int64(3), "a", "", "2023-11-14T22:13:20.000Z"
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompositeAndNestedKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	s := stream(t, "lines", `{"id":{"type":"string"},"invoice":{"type":"object","properties":{"id":{"type":"string"}}}}`,
		"invoice.id", "id")
	load(t, path, s,
		`{"id":"1","invoice":{"id":"a"}}`, `{"id":"1","invoice":{"id":"b"}}`, `{"id":"1","invoice":{"id":"a"},"v":2}`, // replaces the first
		`-{"id":"1","invoice":{"id":"b"}}`)
	got := query(t, path, `SELECT invoice_id_c6419fc9, id, invoice, _extra FROM lines`)
	want := []map[string]any{{"invoice_id_c6419fc9": "a", "id": "1", "invoice": `{"id":"a"}`, "_extra": `{"v":2}`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSchemaGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	load(t, path, stream(t, "charges", `{"id":{"type":"string"},"gone":{"type":"integer"}}`, "id"),
		`{"id":"a","gone":1,"amount":5,"it's":"x","paid":true,"kept":"k"}`, `{"id":"b","amount":"odd"}`)
	load(t, path, stream(t, "charges",
		`{"id":{"type":"string"},"amount":{"type":"integer"},"it's":{"type":"string"},"paid":{"type":"boolean"}}`, "id"),
		`{"id":"c","gone":3,"amount":6}`)
	got := query(t, path, `SELECT id, gone, amount, it_s_24ceef1c AS "it's", paid, _extra FROM charges ORDER BY id`)
	want := []map[string]any{
		{"id": "a", "gone": int64(1), "amount": int64(5), "it's": "x", "paid": int64(1), "_extra": `{"kept":"k"}`},
		{"id": "b", "gone": nil, "amount": nil, "it's": nil, "paid": nil, "_extra": `{"amount":"odd"}`},
		{"id": "c", "gone": int64(3), "amount": int64(6), "it's": nil, "paid": nil, "_extra": nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUserColumnsStay adds columns to a table, one of them with the name of a field that comes later.
func TestUserColumnsStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	load(t, path, stream(t, "charges", `{"id":{"type":"string"},"n":{"type":"integer"}}`, "id"), `{"id":"a","n":1}`)
	statements("ALTER TABLE charges ADD COLUMN mine TEXT DEFAULT 'x'", "ALTER TABLE charges ADD COLUMN Risk TEXT",
		"ALTER TABLE charges ADD COLUMN _note TEXT", "ALTER TABLE charges ADD COLUMN twice AS (n * 2)",
		"UPDATE charges SET mine = 'precious', Risk = 'none', _note = 'n'")(t, path)
	load(t, path, stream(t, "charges", `{"id":{"type":"string"},"n":{"type":"integer"},"risk":{"type":"object"},"twice":{"type":"string"}}`, "id"),
		`{"id":"a","n":2,"risk":{"score":1},"twice":"t","mine":"theirs"}`)
	got := query(t, path, "SELECT id, n, mine, Risk, _note, twice, _extra FROM charges")
	want := []map[string]any{{"id": "a", "n": int64(2), "mine": "precious", "Risk": "none", "_note": "n", "twice": int64(4),
		"_extra": `{"risk":{"score":1},"twice":"t","mine":"theirs"}`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInvalidText stores strings that text can't hold. They must be stored as the JSON received.
func TestInvalidText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stripe.db")
	load(t, path, stream(t, "charges", `{"id":{"type":"string"},"name":{"type":"string"}}`, "id"),
		`{"id":"a","name":"\ud83d"}`, `{"id":"b","name":"\ud83d\ude00"}`, `{"id":"c","name":"x\u0000y"}`, `{"id":"d\u0000","name":"d"}`, `{"id":"\udc00","name":"e"}`)
	got := query(t, path, "SELECT id, name, _extra FROM charges ORDER BY id")
	want := []map[string]any{
		{"id": "a", "name": nil, "_extra": `{"name":"\ud83d"}`}, {"id": "b", "name": "\U0001F600", "_extra": nil},
		{"id": "c", "name": nil, "_extra": `{"name":"x\u0000y"}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if refused := query(t, path, "SELECT data FROM _stripe_connector_refused"); len(refused) != 2 {
		t.Errorf("set aside are %v, want the two whose keys are no text", refused)
	}
}
