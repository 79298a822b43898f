package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// packed returns the decoded messages for a batch.
func packed(t *testing.T, p packer, batch *connector.RecordBatch) ([]*connectorv1.ReadResponse, error) {
	t.Helper()
	parcels, err := p.pack(batch)
	var responses []*connectorv1.ReadResponse
	for _, parcel := range parcels {
		encoded := parcel.appendTo(nil)
		if len(encoded) != parcel.messageSize() {
			t.Fatalf("a parcel of %d bytes says %d", len(encoded), parcel.messageSize())
		}
		response := &connectorv1.ReadResponse{}
		if err := proto.Unmarshal(encoded, response); err != nil {
			t.Fatal(err)
		}
		if usual := proto.Size(response); usual != len(encoded) {
			t.Fatalf("%d bytes, of which protobuf makes %d", len(encoded), usual)
		}
		responses = append(responses, response)
	}
	return responses, err
}

// sized returns a batch with one record of each size, in bytes.
func sized(sizes ...int) *connector.RecordBatch {
	batch := &connector.RecordBatch{Stream: "charges", Account: "acct_1", Generation: 3}
	for i, size := range sizes {
		id := fmt.Sprintf("ch_%d", i)
		data := `{"id":"` + id + `","pad":"`
		data += strings.Repeat("x", max(0, size-len(data)-2)) + `"}`
		batch.Records = append(batch.Records, connector.Record{
			Data: data, Operation: connector.Upsert, AsOf: time.Unix(int64(1000+i/2), 0), Key: id,
		})
	}
	return batch
}

func repeat(size, times int) []int {
	sizes := make([]int, times)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

func TestPacking(t *testing.T) {
	const large = 2 << 20
	tests := map[string]struct {
		sizes []int
		want  []int // records in each message
	}{
		"nothing":                    {nil, nil},
		"one":                        {[]int{100}, []int{1}},
		"two pages of usual objects": {repeat(2000, 200), []int{130, 70}},
		"tiny objects":               {repeat(50, 6000), []int{4297, 1703}},
		"each larger than a batch":   {repeat(200<<10, 3), []int{1, 1, 1}},
		"a large one travels alone":  {[]int{100, 100, large, 100}, []int{2, 1, 1}},
		"a large one first and last": {[]int{large, 100, large}, []int{1, 1, 1}},
	}
	p := packer{batchBytes: defaultBatchBytes, maxBytes: defaultMaxMessageBytes}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			batch := sized(test.sizes...)
			responses, err := packed(t, p, batch)
			if err != nil {
				t.Fatal(err)
			}
			var counts []int
			var data, want []string
			for _, response := range responses {
				got := response.GetRecords()
				counts = append(counts, len(got.GetRecords()))
				if len(got.GetRecords()) > 1 && proto.Size(response) > defaultBatchBytes {
					t.Errorf("%d records in a message of %d bytes", len(got.GetRecords()), proto.Size(response))
				}
				if got.GetStream() != "charges" || got.GetAccount() != "acct_1" || got.GetGeneration() != 3 {
					t.Errorf("message of %s %s %d", got.GetStream(), got.GetAccount(), got.GetGeneration())
				}
				for _, record := range got.GetRecords() {
					data = append(data, record.GetData())
				}
			}
			for _, record := range batch.Records {
				want = append(want, record.Data)
			}
			if diff := cmp.Diff(test.want, counts); diff != "" {
				t.Errorf("records by message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, data); diff != "" {
				t.Error("the records are not those of the batch in order")
			}
		})
	}
}

// TestPackingIsExact fills a message to its limit, and then exceeds it by one byte.
func TestPackingIsExact(t *testing.T) {
	batch := sized(1000, 1000)
	both, err := packed(t, packer{batchBytes: 1 << 20, maxBytes: 1 << 20}, batch)
	if err != nil {
		t.Fatal(err)
	}
	exact := proto.Size(both[0])
	for batchBytes, want := range map[int]int{exact: 1, exact - 1: 2} {
		responses, err := packed(t, packer{batchBytes: batchBytes, maxBytes: 1 << 20}, batch)
		if err != nil || len(responses) != want {
			t.Errorf("%d messages of at most %d bytes, want %d (%v)", len(responses), batchBytes, want, err)
		}
	}
	one, err := packed(t, packer{batchBytes: 1 << 20, maxBytes: 1 << 20}, sized(5000))
	if err != nil {
		t.Fatal(err)
	}
	exact = proto.Size(one[0])
	if _, err := packed(t, packer{batchBytes: 100, maxBytes: exact}, sized(5000)); err != nil {
		t.Errorf("an object that just fits: %v", err)
	}
	if _, err := packed(t, packer{batchBytes: 100, maxBytes: exact - 1}, sized(5000)); err == nil {
		t.Error("an object that is a byte too large was packed")
	}
}

func TestRecordFields(t *testing.T) {
	batch := &connector.RecordBatch{Stream: "charges", Records: []connector.Record{
		{Data: `{"id":"ch_1"}`, Operation: connector.Upsert, AsOf: time.Unix(5, 0)},
		{Data: `{"id":"ch_2"}`, Operation: connector.Upsert, AsOf: time.Unix(5, 0)},
		{Data: `{"id":"ch_3","n":[1.5,{"a":null}]}`, Operation: connector.Delete, AsOf: time.Unix(6, 7), EventID: "evt_1"},
		{Data: `{"id":"ch_4"}`, Operation: connector.Upsert},
	}}
	for name, format := range map[string]connectorv1.RecordFormat{
		"default": connectorv1.RecordFormat_RECORD_FORMAT_UNSPECIFIED,
		"JSON":    connectorv1.RecordFormat_RECORD_FORMAT_JSON,
		"STRUCT":  connectorv1.RecordFormat_RECORD_FORMAT_STRUCT,
	} {
		t.Run(name, func(t *testing.T) {
			responses, err := packed(t, packer{format: format, batchBytes: 1 << 20, maxBytes: 1 << 20}, batch)
			if err != nil {
				t.Fatal(err)
			}
			got := responses[0].GetRecords().GetRecords()
			for i, want := range batch.Records {
				checkRecord(t, got[i], want, format)
			}
		})
	}
}

func checkRecord(t *testing.T, got *connectorv1.Record, want connector.Record, format connectorv1.RecordFormat) {
	t.Helper()
	if format == connectorv1.RecordFormat_RECORD_FORMAT_STRUCT {
		if want := object(t, want.Data); !proto.Equal(got.GetDataStruct(), want) || got.GetData() != "" {
			t.Errorf("record %v, want %v as a Struct only", got, want)
		}
	} else if got.GetData() != want.Data || got.GetDataStruct() != nil {
		t.Errorf("record %v, want %s as a string only", got, want.Data)
	}
	if got.GetOperation() != connectorv1.Operation(want.Operation) || got.GetEventId() != want.EventID {
		t.Errorf("record %v, want %v", got, want)
	}
	if want.AsOf.IsZero() != (got.GetAsOf() == nil) || got.GetAsOf() != nil && !got.GetAsOf().AsTime().Equal(want.AsOf) {
		t.Errorf("as of %v, want %v", got.GetAsOf(), want.AsOf)
	}
}

func TestRecordsThatCannotBeSent(t *testing.T) {
	const (
		plain    = connectorv1.RecordFormat_RECORD_FORMAT_JSON
		asStruct = connectorv1.RecordFormat_RECORD_FORMAT_STRUCT
	)
	tests := map[string]struct {
		format  connectorv1.RecordFormat
		data    string
		eventID string
	}{
		"too large":                 {plain, strings.Repeat("private", 1<<17), ""},
		"too large as a Struct":     {asStruct, `{"a":"` + strings.Repeat("private", 1<<17) + `"}`, ""},
		"not UTF-8":                 {plain, "{\"a\":\"private\xff\"}", ""},
		"event that is not UTF-8":   {plain, `{"a":"private"}`, "evt_\xff"},
		"not JSON":                  {asStruct, `{"a":"private`, ""},
		"not an object":             {asStruct, `["private"]`, ""},
		"nothing":                   {asStruct, ``, ""},
		"not UTF-8, for a Struct":   {asStruct, "{\"a\":\"private\xff\"}", ""},
		"two objects, for a Struct": {asStruct, `{"a":"private"}{}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			batch := sized(100)
			batch.Records = append(batch.Records, connector.Record{Data: test.data, EventID: test.eventID, Key: "ch_bad"})
			responses, err := packed(t, packer{format: test.format, batchBytes: 64 << 10, maxBytes: 512 << 10}, batch)
			if err == nil || responses != nil {
				t.Fatalf("%d messages, error %v; want none and a failure", len(responses), err)
			}
			f := connector.AsFailure(err)
			if f.Class != connector.SourceData || f.Stream != "charges" || f.Account != "acct_1" {
				t.Errorf("failure %+v", f)
			}
			if !strings.Contains(f.Message, "ch_bad") || strings.Contains(f.Message+f.Internal, "private") {
				t.Errorf("message %q", f.Message)
			}
		})
	}
}
