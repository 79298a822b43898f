package destinationtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// grow loads records with a schema that lacks some of their fields, then with a complete schema. Columns must be added and
// widened, and values in _extra must move to their new columns.
func grow(t *testing.T, s Subject) {
	place := s.New(t)
	load(t, s, place, `{"id":{"type":"string"},"count":{"type":"integer"},"size":{"type":"integer"},"paid":{"type":"boolean"},
"huge":{"type":"integer"},"nest":{"type":"object"}}`,
		`{"count":1,"huge":9007199254740993,"id":"a","nest":{"a":1},"new":{"b":[2]},"paid":true,"size":2}`,
		`{"count":1.5,"id":"b","name":"n'","nest":"text","paid":"no","size":"large"}`)
	if n, err := s.Extra(place); err != nil || n != 2 {
		t.Fatalf("%d rows, %v, hold a value without a column, want 2", n, err)
	}
	load(t, s, place, `{"id":{"type":"string"},"count":{"type":"number"},"size":{"type":["integer","string"]},
"paid":{"type":["boolean","string"]},"huge":{"type":"number"},"nest":{"anyOf":[{"type":"object"},{"type":"string"}]},
"new":{"type":"object"},"name":{"type":"string"}}`,
		`{"count":0.5,"huge":1,"id":"c","name":"c","new":{},"paid":false,"size":"s"}`)
	if n, err := s.Extra(place); err != nil || n != 0 {
		t.Errorf("%d rows, %v, hold a value without a column, want none", n, err)
	}
	rows, err := s.Rows(place, Replace)
	if err != nil {
		t.Fatal(err)
	}
	// Text columns hold strings as they are, and anything else as JSON.
	want := map[string][]string{
		Key("growing", "", "a"): {`{"count":1,"huge":"9007199254740993","id":"a","nest":{"a":1},"new":{"b":[2]},"paid":"true","size":"2"}`},
		Key("growing", "", "b"): {`{"count":1.5,"id":"b","name":"n'","nest":"text","paid":"no","size":"large"}`},
		Key("growing", "", "c"): {`{"count":0.5,"huge":"1","id":"c","name":"c","new":{},"paid":"false","size":"s"}`},
	}
	if diff := cmp.Diff(want, named(rows, Replace)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// load opens the destination, stores records of a stream with these properties, and closes it.
func load(t *testing.T, s Subject, place, properties string, records ...string) {
	t.Helper()
	schema := &structpb.Struct{}
	if err := protojson.Unmarshal([]byte(`{"properties":`+properties+`}`), schema); err != nil {
		t.Fatal(err)
	}
	d, err := s.Open(place, Replace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	stream := &connectorv1.Stream{Name: "growing", PrimaryKey: []string{"id"}, JsonSchema: schema}
	if _, err := d.Begin(t.Context(), []*connectorv1.Stream{stream}); err != nil {
		t.Fatal(err)
	}
	batch := &connectorv1.RecordBatch{Stream: "growing", Generation: 1}
	for _, data := range records {
		batch.Records = append(batch.Records, &connectorv1.Record{Data: data, Operation: connectorv1.Operation_OPERATION_UPSERT})
	}
	if err := d.Commit(t.Context(), client.Commit{Records: []*connectorv1.RecordBatch{batch}}); err != nil {
		t.Fatal(err)
	}
}
