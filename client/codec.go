package client

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/types/known/timestamppb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// codec is gRPC's for protobuf, but for messages with records, of which most of a Read consists: it copies a message once,
// and all its strings share that copy. Protobuf's own copies twice, and allocates each record and each string.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Unmarshal decodes a message.
func (c codec) Unmarshal(data mem.BufferSlice, message any) error {
	response, ok := message.(*connectorv1.ReadResponse)
	if !ok || !startsWith(data, tagOf(1, lengthType)) {
		return c.CodecV2.Unmarshal(data, message)
	}
	var text strings.Builder
	text.Grow(data.Len())
	for _, buffer := range data {
		text.Write(buffer.ReadOnlyData())
	}
	batch, ok := decodeRecords(text.String())
	if !ok { // not what we know, or not valid: protobuf's own tells
		return c.CodecV2.Unmarshal(data, message)
	}
	response.Reset()
	response.Message = &connectorv1.ReadResponse_Records{Records: batch}
	return nil
}

func startsWith(data mem.BufferSlice, tag uint64) bool {
	for _, buffer := range data {
		if b := buffer.ReadOnlyData(); len(b) > 0 {
			return uint64(b[0]) == tag
		}
	}
	return false
}

// The wire types of protobuf that occur in records, https://protobuf.dev/programming-guides/encoding/.
const (
	varintType = 0
	lengthType = 2
)

// tagOf is what a field of a number below 16 begins with.
func tagOf(number, wireType uint64) uint64 { return number<<3 | wireType }

// fields reads the fields of a message one after the other.
type fields struct {
	rest string
	bad  bool

	tag  uint64
	text string // of a string, or a message
	int  uint64 // of a number
}

// next goes on to the next field, if there is one that is as expected.
func (f *fields) next() bool {
	if f.rest == "" || f.bad {
		return false
	}
	f.tag = f.varint()
	switch f.tag & 7 {
	case varintType:
		f.int = f.varint()
	case lengthType:
		size := f.varint()
		if size > uint64(len(f.rest)) {
			f.bad = true
			return false
		}
		f.text, f.rest = f.rest[:size], f.rest[size:]
	default:
		f.bad = true
	}
	return !f.bad
}

// varint reads a number, of which each byte has seven bits and whether more follow.
func (f *fields) varint() uint64 {
	var n uint64
	for i := 0; i < len(f.rest) && i < 9; i++ { // a tenth byte would hold but one bit, of a negative number
		n |= uint64(f.rest[i]&0x7f) << (7 * i)
		if f.rest[i] < 0x80 {
			f.rest = f.rest[i+1:]
			return n
		}
	}
	f.bad = true
	return 0
}

// string gives a string, which must be valid.
func (f *fields) string() string {
	f.bad = f.bad || !utf8.ValidString(f.text)
	return f.text
}

// decodeRecords decodes a ReadResponse that has nothing but a batch of records in JSON. It gives false for any other.
func decodeRecords(message string) (*connectorv1.RecordBatch, bool) {
	response := fields{rest: message}
	if !response.next() || response.tag != tagOf(1, lengthType) || response.rest != "" {
		return nil, false
	}
	batch := &connectorv1.RecordBatch{}
	count := countRecords(response.text)
	block := make([]record, count)
	batch.Records = make([]*connectorv1.Record, 0, count)
	f := fields{rest: response.text}
	for f.next() {
		switch f.tag {
		case tagOf(1, lengthType):
			batch.Stream = f.string()
		case tagOf(2, lengthType):
			batch.Account = f.string()
		case tagOf(3, varintType):
			batch.Generation = int64(f.int)
		case tagOf(4, lengthType):
			r := &block[len(batch.Records)]
			f.bad = f.bad || !r.decode(f.text)
			batch.Records = append(batch.Records, &r.Record)
		default:
			return nil, false
		}
	}
	return batch, !f.bad
}

func countRecords(batch string) int {
	n := 0
	for f := (fields{rest: batch}); f.next(); {
		if f.tag == tagOf(4, lengthType) {
			n++
		}
	}
	return n
}

// record is a Record with room for its time.
type record struct {
	connectorv1.Record
	asOf timestamppb.Timestamp
}

func (r *record) decode(encoded string) bool {
	f := fields{rest: encoded}
	for f.next() {
		switch f.tag {
		case tagOf(1, lengthType):
			r.Data = f.string()
		case tagOf(3, varintType):
			r.Operation = connectorv1.Operation(f.int)
		case tagOf(4, lengthType):
			if r.AsOf != nil || !decodeTime(&r.asOf, f.text) {
				return false
			}
			r.AsOf = &r.asOf
		case tagOf(5, lengthType):
			r.EventId = f.string()
		default:
			return false
		}
	}
	return !f.bad
}

func decodeTime(t *timestamppb.Timestamp, encoded string) bool {
	f := fields{rest: encoded}
	for f.next() {
		switch f.tag {
		case tagOf(1, varintType):
			t.Seconds = int64(f.int)
		case tagOf(2, varintType):
			t.Nanos = int32(f.int)
		default:
			return false
		}
	}
	return !f.bad
}
