package client

import (
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func recordsMessage(records ...*connectorv1.Record) *connectorv1.ReadResponse {
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Records{Records: &connectorv1.RecordBatch{
		Stream: "charges", Account: "acct_1", Generation: 300, Records: records,
	}}}
}

func usualRecords() *connectorv1.ReadResponse {
	at := &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 999_999_999}
	return recordsMessage(
		&connectorv1.Record{Data: `{"id":"ch_1","name":"é"}`, Operation: connectorv1.Operation_OPERATION_UPSERT, AsOf: at},
		&connectorv1.Record{Data: strings.Repeat("x", 300), Operation: connectorv1.Operation_OPERATION_DELETE, EventId: "evt_1"},
		&connectorv1.Record{},
	)
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	encoded, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// TestTypicalRecordsAreDecodedHere checks that the fast path decodes the usual records, with few allocations however
// many records there are.
func TestTypicalRecordsAreDecodedHere(t *testing.T) {
	message := usualRecords()
	encoded := encode(t, message)
	batch, ok := decodeRecords(encoded)
	if !ok || !proto.Equal(batch, message.GetRecords()) {
		t.Fatalf("got %v, %v", batch, ok)
	}
	if allocations := testing.AllocsPerRun(100, func() { decodeRecords(encoded) }); allocations > 3 {
		t.Errorf("%v allocations", allocations)
	}
}

// BenchmarkCodec decodes messages of the usual size, with small and with large records.
func BenchmarkCodec(b *testing.B) {
	for name, size := range map[string]int{"small": 200, "large": 2500} {
		b.Run(name, func(b *testing.B) {
			var records []*connectorv1.Record
			for range 256 << 10 / size {
				records = append(records, &connectorv1.Record{
					Data: strings.Repeat("x", size), Operation: connectorv1.Operation_OPERATION_UPSERT, EventId: "evt_123456789012345678901234",
					AsOf: &timestamppb.Timestamp{Seconds: 1_700_000_000},
				})
			}
			encoded := encode(b, recordsMessage(records...))
			c := newCodec()
			b.SetBytes(int64(len(encoded)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(encoded)}, &connectorv1.ReadResponse{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzCodec compares the codec with protobuf's own: both must accept the same messages and decode them to the same
// values.
func FuzzCodec(f *testing.F) {
	usual := encode(f, usualRecords())
	structs := recordsMessage(&connectorv1.Record{DataStruct: &structpb.Struct{}, AsOf: &timestamppb.Timestamp{Seconds: -1}})
	for _, encoded := range [][]byte{
		nil, usual, usual[:len(usual)-1], append(usual[:len(usual):len(usual)], usual...), encode(f, structs),
		encode(f, recordsMessage()), {0x0a, 0}, {0x0a, 0x80}, {0x0a, 2, 0x18}, {0x0a, 3, 0x0a, 1, 0xff}, {0x0a, 0x81, 0, 0x18}, {0x12, 0},
		{0x0a, 4, 0x22, 2, 0x0a, 9}, {0x0a, 4, 0x22, 2, 0x10, 1}, {0x0a, 3, 0x9a, 0, 1}, {0x0a, 2, 0x2a, 0}, {0x0a, 6, 0x22, 4, 0x22, 0, 0x22, 0},
		{0x0a, 13, 0x22, 11, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {0x0a, 5, 0x22, 3, 0x2a, 1, 0xff},
	} {
		f.Add(encoded, 5)
	}
	ours := newCodec()
	f.Fuzz(func(t *testing.T, encoded []byte, cut int) {
		cut = min(max(cut, 0), len(encoded))
		var got, want connectorv1.ReadResponse
		err := ours.Unmarshal(mem.BufferSlice{mem.SliceBuffer(encoded[:cut]), mem.SliceBuffer(encoded[cut:])}, &got)
		wantErr := proto.Unmarshal(encoded, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: got the error %v, want %v", encoded, err, wantErr)
		}
		if err == nil && !proto.Equal(&got, &want) {
			t.Fatalf("%x: got %v, want %v", encoded, &got, &want)
		}
	})
}
