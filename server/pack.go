package server

import (
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// packer turns batches of any size into messages that gRPC carries well: of at most batchBytes, except for a record
// that is larger by itself and travels alone in a message of at most maxBytes.
type packer struct {
	format     connectorv1.RecordFormat
	batchBytes int
	maxBytes   int
}

// pack gives the messages for a batch, in order. It fails with a [connector.Failure] that names the record if one of
// them cannot be carried; then nothing of the batch can be sent.
func (p packer) pack(batch *connector.RecordBatch) ([]*connectorv1.ReadResponse, error) {
	records, err := p.convert(batch)
	if err != nil {
		return nil, err
	}
	var responses []*connectorv1.ReadResponse
	header := headerSize(batch)
	begin, size := 0, 0
	for i, record := range records {
		need := fieldSize(proto.Size(record))
		if alone := fieldSize(header + need); alone > p.maxBytes {
			return nil, tooLarge(batch, i, alone, p.maxBytes)
		}
		if i > begin && fieldSize(header+size+need) > p.batchBytes {
			responses = append(responses, recordsResponse(batch, records[begin:i]))
			begin, size = i, 0
		}
		size += need
	}
	if begin < len(records) {
		responses = append(responses, recordsResponse(batch, records[begin:]))
	}
	return responses, nil
}

// convert gives the records of a batch. They share the strings of the batch, one block of memory, and the timestamps of
// neighbours with the same AsOf.
func (p packer) convert(batch *connector.RecordBatch) ([]*connectorv1.Record, error) {
	block := make([]connectorv1.Record, len(batch.Records))
	records := make([]*connectorv1.Record, len(batch.Records))
	var at time.Time
	var asOf *timestamppb.Timestamp
	for i, record := range batch.Records {
		if asOf == nil || !record.AsOf.Equal(at) {
			at, asOf = record.AsOf, protoTime(record.AsOf)
		}
		if !utf8.ValidString(record.Data) || !utf8.ValidString(record.EventID) {
			return nil, sourceData(batch, i, "is not valid UTF-8")
		}
		converted := &block[i]
		converted.Operation = connectorv1.Operation(record.Operation)
		converted.AsOf = asOf
		converted.EventId = record.EventID
		if p.format == connectorv1.RecordFormat_RECORD_FORMAT_STRUCT {
			object, err := structFromJSON([]byte(record.Data))
			if err != nil || object == nil { // the error quotes the data, so it stays here
				return nil, sourceData(batch, i, "is not a JSON object")
			}
			converted.DataStruct = object
		} else {
			converted.Data = record.Data
		}
		records[i] = converted
	}
	return records, nil
}

func recordsResponse(batch *connector.RecordBatch, records []*connectorv1.Record) *connectorv1.ReadResponse {
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Records{Records: &connectorv1.RecordBatch{
		Stream: batch.Stream, Account: batch.Account, Generation: batch.Generation, Records: records,
	}}}
}

// headerSize is the encoded size of a batch without its records.
func headerSize(batch *connector.RecordBatch) int {
	return proto.Size(&connectorv1.RecordBatch{
		Stream: batch.Stream, Account: batch.Account, Generation: batch.Generation,
	})
}

// fieldSize is the encoded size of a message of size bytes as a field: a tag of one byte, the length, the message. A
// record is a field of its batch, and the batch the only field of the ReadResponse.
func fieldSize(size int) int { return 1 + protowire.SizeBytes(size) }

func tooLarge(batch *connector.RecordBatch, i, size, limit int) *connector.Failure {
	return sourceData(batch, i, fmt.Sprintf("needs a message of %d bytes, and %d are the limit: raise it at the server "+
		"and at its clients, or select fewer fields", size, limit))
}

// sourceData names the record that cannot be carried, and shows nothing of its content.
func sourceData(batch *connector.RecordBatch, i int, problem string) *connector.Failure {
	key := batch.Records[i].Key
	if key == "" {
		key = "without a key"
	}
	return &connector.Failure{
		Class:   connector.SourceData,
		Message: fmt.Sprintf("The object %s of stream %s %s.", key, batch.Stream, problem),
		Stream:  batch.Stream,
		Account: batch.Account,
	}
}
