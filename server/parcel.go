package server

import (
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stripe-connector/stripe-connector/connector"
)

// parcel is a ReadResponse with records of one batch. The codec encodes it straight from the records' strings into the
// buffer that gRPC sends. Building protobuf messages in between would cost as much as all the other work.
type parcel struct {
	header  []byte             // the encoded fields of the RecordBatch, except its records
	data    protowire.Number   // the field of a Record that holds its Data
	records []connector.Record // with Data encoded as that field requires
	size    int                // of the encoded RecordBatch, in bytes
}

// Field numbers, from connector.proto.
const (
	responseRecords protowire.Number = 1

	batchStream     protowire.Number = 1
	batchAccount    protowire.Number = 2
	batchGeneration protowire.Number = 3
	batchRecords    protowire.Number = 4

	recordData      protowire.Number = 1
	recordStruct    protowire.Number = 2
	recordOperation protowire.Number = 3
	recordAsOf      protowire.Number = 4
	recordEvent     protowire.Number = 5

	timeSeconds protowire.Number = 1
	timeNanos   protowire.Number = 2
)

// fieldSize returns the encoded size of a string or message field: a tag of one byte, the length, and size bytes.
func fieldSize(size int) int { return 1 + protowire.SizeBytes(size) }

// batchHeader encodes the fields of a RecordBatch, except its records.
func batchHeader(batch *connector.RecordBatch) []byte {
	header := appendText(nil, batchStream, batch.Stream)
	header = appendText(header, batchAccount, batch.Account)
	return appendInt(header, batchGeneration, batch.Generation)
}

// messageSize returns the encoded size of the ReadResponse.
func (p *parcel) messageSize() int { return fieldSize(p.size) }

// appendTo appends the encoded ReadResponse to a buffer.
func (p *parcel) appendTo(to []byte) []byte {
	to = appendLength(to, responseRecords, p.size)
	to = append(to, p.header...)
	for i := range p.records {
		r := &p.records[i]
		to = appendLength(to, batchRecords, p.recordSize(r))
		if r.Data != "" || p.data == recordStruct {
			to = append(appendLength(to, p.data, len(r.Data)), r.Data...)
		}
		to = appendInt(to, recordOperation, int64(r.Operation))
		if !r.AsOf.IsZero() {
			to = appendLength(to, recordAsOf, timeSize(r.AsOf))
			to = appendInt(to, timeSeconds, r.AsOf.Unix())
			to = appendInt(to, timeNanos, int64(r.AsOf.Nanosecond()))
		}
		to = appendText(to, recordEvent, r.EventID)
	}
	return to
}

// recordSize returns the encoded size of a Record.
func (p *parcel) recordSize(r *connector.Record) int {
	size := textSize(r.EventID) + intSize(int64(r.Operation))
	if r.Data != "" || p.data == recordStruct {
		size += fieldSize(len(r.Data))
	}
	if !r.AsOf.IsZero() {
		size += fieldSize(timeSize(r.AsOf))
	}
	return size
}

// timeSize returns the encoded size of a Timestamp.
func timeSize(t time.Time) int { return intSize(t.Unix()) + intSize(int64(t.Nanosecond())) }

// textSize and intSize return the encoded size of a field, which is omitted if empty or zero.
func textSize(s string) int {
	if s == "" {
		return 0
	}
	return fieldSize(len(s))
}

func intSize(n int64) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(uint64(n))
}

func appendLength(to []byte, field protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.BytesType), uint64(size))
}

func appendText(to []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return to
	}
	return append(appendLength(to, field, len(s)), s...)
}

func appendInt(to []byte, field protowire.Number, n int64) []byte {
	if n == 0 {
		return to
	}
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), uint64(n))
}

// codec is gRPC's protobuf codec, extended to encode parcels and to limit the memory that decoding a request takes.
type codec struct {
	encoding.CodecV2
	outbox outbox
}

func newCodec() *codec { return &codec{CodecV2: encoding.GetCodecV2(proto.Name)} }

// Marshal encodes a parcel into a buffer of the outbox. The buffer returns to the outbox when it has been sent.
func (c *codec) Marshal(message any) (mem.BufferSlice, error) {
	p, ok := message.(*parcel)
	if !ok {
		return c.CodecV2.Marshal(message)
	}
	buffer := c.outbox.Get(p.messageSize())
	*buffer = p.appendTo((*buffer)[:0])
	return mem.BufferSlice{mem.NewBuffer(buffer, &c.outbox)}, nil
}
