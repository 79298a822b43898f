package client

import (
	"unicode/utf8"
	"unsafe"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// codec is gRPC's protobuf codec with a fast path for messages of records, which make up most of a Read. It copies
// such a message once, and all its strings share that copy. Protobuf's own codec copies it twice, and allocates each
// record and each string.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// recordsTag is the first byte of a message of records: field 1 of ReadResponse, length-delimited.
const recordsTag = 1<<3 | byte(protowire.BytesType)

// Unmarshal decodes a message.
func (c codec) Unmarshal(data mem.BufferSlice, message any) error {
	response, ok := message.(*connectorv1.ReadResponse)
	if !ok || !startsWith(data, recordsTag) {
		return c.CodecV2.Unmarshal(data, message)
	}
	batch, ok := decodeRecords(data.Materialize())
	if !ok { // leave unknown and invalid messages to protobuf's own codec
		return c.CodecV2.Unmarshal(data, message)
	}
	response.Reset()
	response.Message = &connectorv1.ReadResponse_Records{Records: batch}
	return nil
}

func startsWith(data mem.BufferSlice, first byte) bool {
	for _, buffer := range data {
		if b := buffer.ReadOnlyData(); len(b) > 0 {
			return b[0] == first
		}
	}
	return false
}

// fields iterates over the fields of a message, using protowire, which validates them.
type fields struct {
	rest []byte
	bad  bool

	number protowire.Number
	kind   protowire.Type
	bytes  []byte // the value of a string or message
	int    uint64 // the value of a number
}

// next reads the next field. It returns false at the end of the message, or if the field has a wire type that records
// don't use.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.bad {
		return false
	}
	var size int
	f.number, f.kind, size = protowire.ConsumeTag(f.rest)
	if size < 0 {
		f.bad = true
		return false
	}
	f.rest = f.rest[size:]
	switch f.kind {
	case protowire.VarintType:
		f.int, size = protowire.ConsumeVarint(f.rest)
	case protowire.BytesType:
		f.bytes, size = protowire.ConsumeBytes(f.rest)
	default:
		size = -1
	}
	if size < 0 {
		f.bad = true
		return false
	}
	f.rest = f.rest[size:]
	return true
}

// is reports whether the current field has this number and wire type.
func (f *fields) is(number protowire.Number, kind protowire.Type) bool {
	return f.number == number && f.kind == kind
}

// string returns the current field's string, which must be valid UTF-8. The string shares the message's memory.
func (f *fields) string() string {
	f.bad = f.bad || !utf8.Valid(f.bytes)
	return unsafe.String(unsafe.SliceData(f.bytes), len(f.bytes)) // safe, since nothing writes to the copy
}

// decodeRecords decodes a ReadResponse that contains only a batch of JSON records, and reports whether message is
// one. The batch shares the memory of message, so message must not be modified afterwards.
func decodeRecords(message []byte) (*connectorv1.RecordBatch, bool) {
	response := fields{rest: message}
	if !response.next() || !response.is(1, protowire.BytesType) || len(response.rest) > 0 {
		return nil, false
	}
	batch := &connectorv1.RecordBatch{}
	count := countRecords(response.bytes)
	block := make([]record, count)
	batch.Records = make([]*connectorv1.Record, 0, count)
	f := fields{rest: response.bytes}
	for f.next() {
		switch {
		case f.is(4, protowire.BytesType):
			r := &block[len(batch.Records)]
			f.bad = f.bad || !r.decode(f.bytes)
			batch.Records = append(batch.Records, &r.Record)
		case f.is(1, protowire.BytesType):
			batch.Stream = f.string()
		case f.is(2, protowire.BytesType):
			batch.Account = f.string()
		case f.is(3, protowire.VarintType):
			batch.Generation = int64(f.int)
		default:
			return nil, false
		}
	}
	return batch, !f.bad
}

func countRecords(batch []byte) int {
	n := 0
	for f := (fields{rest: batch}); f.next(); {
		if f.is(4, protowire.BytesType) {
			n++
		}
	}
	return n
}

// record is a Record along with its time, so that both take one allocation.
type record struct {
	connectorv1.Record
	asOf timestamppb.Timestamp
}

func (r *record) decode(encoded []byte) bool {
	f := fields{rest: encoded}
	for f.next() {
		switch {
		case f.is(1, protowire.BytesType):
			r.Data = f.string()
		case f.is(3, protowire.VarintType):
			r.Operation = connectorv1.Operation(f.int)
		case f.is(4, protowire.BytesType):
			if r.AsOf != nil || !decodeTime(&r.asOf, f.bytes) {
				return false
			}
			r.AsOf = &r.asOf
		case f.is(5, protowire.BytesType):
			r.EventId = f.string()
		default:
			return false
		}
	}
	return !f.bad
}

func decodeTime(t *timestamppb.Timestamp, encoded []byte) bool {
	f := fields{rest: encoded}
	for f.next() {
		switch {
		case f.is(1, protowire.VarintType):
			t.Seconds = int64(f.int)
		case f.is(2, protowire.VarintType):
			t.Nanos = int32(f.int)
		default:
			return false
		}
	}
	return !f.bad
}
