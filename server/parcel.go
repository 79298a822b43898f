package server

import (
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stripe-connector/stripe-connector/connector"
)

// parcel is a ReadResponse with records of one batch. The codec writes it from the records' own strings into the buffer
// that gRPC sends: messages in between would cost as much as the rest of the way.
type parcel struct {
	header  []byte             // the fields of the RecordBatch but its records, encoded
	data    protowire.Number   // the field of a Record that its Data goes to
	records []connector.Record // their Data is in the encoding of that field
	size    int                // of the encoded RecordBatch
}

// The numbers of the fields, from connector.proto.
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

// fieldSize is the encoded size of a string, or of a message, of size bytes: a tag of one byte, the length, the bytes.
func fieldSize(size int) int { return 1 + protowire.SizeBytes(size) }

// batchHeader encodes what a RecordBatch has besides its records.
func batchHeader(batch *connector.RecordBatch) []byte {
	header := appendText(nil, batchStream, batch.Stream)
	header = appendText(header, batchAccount, batch.Account)
	return appendInt(header, batchGeneration, batch.Generation)
}

// messageSize is the encoded size of the ReadResponse.
func (p *parcel) messageSize() int { return fieldSize(p.size) }

// appendTo encodes the ReadResponse.
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

// recordSize is the encoded size of a Record.
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

// timeSize is the encoded size of a Timestamp.
func timeSize(t time.Time) int { return intSize(t.Unix()) + intSize(int64(t.Nanosecond())) }

// textSize and intSize return the encoded sizes of fields that are omitted if empty or zero.
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

// codec is gRPC's for protobuf, and knows parcels.
type codec struct {
	encoding.CodecV2
	outbox outbox
}

func newCodec() *codec { return &codec{CodecV2: encoding.GetCodecV2(proto.Name)} }

// Marshal encodes a parcel in a buffer of the outbox, which gets it back when it was sent.
func (c *codec) Marshal(message any) (mem.BufferSlice, error) {
	p, ok := message.(*parcel)
	if !ok {
		return c.CodecV2.Marshal(message)
	}
	buffer := c.outbox.Get(p.messageSize())
	*buffer = p.appendTo((*buffer)[:0])
	return mem.BufferSlice{mem.NewBuffer(buffer, &c.outbox)}, nil
}
