package server

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

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

// pack returns the messages for a batch, in order. If a record doesn't fit into a message, it returns a [connector.Failure] that
// names the record; then nothing of the batch can be sent.
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

// divide cuts a parcel of all records of a batch into those that are sent.
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

// encodeStructs returns the records of a batch with an encoded Struct in place of the JSON.
func encodeStructs(batch *connector.RecordBatch) ([]connector.Record, error) {
	records := slices.Clone(batch.Records)
	for i := range records {
		object, err := structFromJSON([]byte(records[i].Data))
		if err != nil || object == nil { // the error quotes the data, so it stays here
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
