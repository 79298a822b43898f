package server

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// packer divides batches of any size into messages of at most batchBytes. A larger record gets a message of its own, of at
// most maxBytes.
type packer struct {
	format     connectorv1.RecordFormat
	batchBytes int
	maxBytes   int
}

// pack returns the messages for a batch, in order. If a record can't be sent, because it is too large or malformed, pack
// returns a [connector.Failure] that names the record, and no messages.
func (p packer) pack(batch *connector.RecordBatch) ([]*parcel, error) {
	for i, record := range batch.Records {
		if !utf8.ValidString(record.Data) || !utf8.ValidString(record.EventID) {
			return nil, sourceData(batch, i, "is not valid UTF-8")
		}
	}
	all := parcel{header: batchHeader(batch), data: recordData, records: batch.Records}
	if p.format == connectorv1.RecordFormat_RECORD_FORMAT_STRUCT {
		structs, err := encodeStructs(batch)
		if err != nil {
			return nil, err
		}
		all.data, all.records = recordStruct, structs
	}
	return p.divide(batch, all)
}

// divide splits a parcel with all records of a batch into the parcels to send.
func (p packer) divide(batch *connector.RecordBatch, all parcel) ([]*parcel, error) {
	var parcels []*parcel
	begin, size := 0, len(all.header)
	finish := func(end int) {
		parcels = append(parcels, &parcel{header: all.header, data: all.data, records: all.records[begin:end], size: size})
	}
	for i := range all.records {
		need := fieldSize(all.recordSize(&all.records[i]))
		if alone := fieldSize(len(all.header) + need); alone > p.maxBytes {
			return nil, tooLarge(batch, i, alone, p.maxBytes)
		}
		if i > begin && fieldSize(size+need) > p.batchBytes {
			finish(i)
			begin, size = i, len(all.header)
		}
		size += need
	}
	if begin < len(all.records) {
		finish(len(all.records))
	}
	return parcels, nil
}

// encodeStructs returns the records of a batch with their JSON replaced by an encoded Struct.
func encodeStructs(batch *connector.RecordBatch) ([]connector.Record, error) {
	records := slices.Clone(batch.Records)
	for i := range records {
		object, err := structFromJSON([]byte(records[i].Data))
		if err != nil || object == nil { // drop err, which quotes the data
			return nil, sourceData(batch, i, "is not a JSON object")
		}
		encoded, err := proto.Marshal(object)
		if err != nil {
			return nil, sourceData(batch, i, "cannot be encoded as a Struct")
		}
		records[i].Data = string(encoded)
	}
	return records, nil
}

func tooLarge(batch *connector.RecordBatch, i, size, limit int) *connector.Failure {
	return sourceData(batch, i, fmt.Sprintf("needs a message of %d bytes, but the limit is %d: raise it at the server "+
		"and its clients, or select fewer fields", size, limit))
}

// sourceData returns a failure that names the i-th record of a batch, but does not quote its content.
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
