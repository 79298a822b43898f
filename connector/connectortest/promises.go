package connectortest

import (
	"fmt"
	"slices"
)

// Promise is a sentence of the contract that holds for every source. The contract is written twice: for any language in the
// protocol, connector.v1, and for Go in package connector.
type Promise struct {
	ID       string
	Sentence string // as the contract has it
	Where    string // what it is the comment of
}

// promises lists everything that the suite judges.
var promises = []Promise{
	// The catalog.
	{"spec", "A JSON Schema (draft 2020-12) of the configuration.", "connector.v1.SpecResponse.config_schema"},
	{"stable-catalog", "Every stream, in a stable order.", "connector.v1.DiscoverResponse.streams"},
	{"unique-streams", "The name, such as \"invoice_line_items\": lower-case letters, digits and underscores, unique in the catalog and stable between releases.", "connector.v1.Stream.name"},
	{"sync-modes", "The modes that a Read of this stream supports. Never empty.", "connector.v1.Stream.supported_sync_modes"},
	{"primary-key", "The paths of the fields that together identify a row, such as [\"id\"] or [\"invoice\", \"id\"]. Never empty. Every record has these fields, and json_schema names them.", "connector.v1.Stream.primary_key"},
	{"schema", "A JSON Schema (draft 2020-12) of one record: an object with properties. It never sets \"additionalProperties\": false, because the source may send fields that it doesn't name.", "connector.v1.Stream.json_schema"},
	{"parent", "The stream whose objects contain this stream's objects, such as \"invoices\" for \"invoice_line_items\". Always a stream of the full catalog; empty if there is none.", "connector.v1.Stream.parent"},
	{"parent-field", "The path of the field that holds the primary key of the parent's row, such as \"invoice\": the field that OPERATION_DELETE_MATCHING matches. json_schema names it. Set if and only if parent is.", "connector.v1.Stream.parent_field"},
	{"relations", "Fields that hold keys of streams of the full catalog.", "connector.v1.Stream.relations"},
	{"emits-deletes", "Whether the stream can send records with OPERATION_DELETE or OPERATION_DELETE_MATCHING.", "connector.v1.Stream.emits_deletes"},

	// Messages.
	{"one-sender", "A Source calls Send from one goroutine at a time", "connector.Sink"},
	{"selected-streams", "Read sends the records of the configured streams", "connector.Source"},
	{"status-order", "A stream goes from STARTED through RUNNING, which is skipped if there are no records, to COMPLETE or INCOMPLETE; or it is only SKIPPED", "connector.v1.StreamStatus"},
	{"record-data", "The object as compact JSON", "connector.v1.Record.data"},
	{"records-counted", "The number of records of this stream and account since its previous checkpoint in this Read, to compare with what arrived.", "connector.v1.StateCheckpoint.records"},
	{"complete", "Everything requested was sent, and the last checkpoint covers it.", "connector.v1.StreamStatus.STREAM_STATUS_COMPLETE"},
	{"order", "Within one stream, a later record for a key is at least as new as an earlier one.", "connector.v1.ConnectorService, What a state promises"},
	{"progress", "Progress is a heartbeat. Counts are of this Read so far.", "connector.v1.Progress"},
	{"heartbeat", "A heartbeat, at least every 10 seconds", "connector.v1.ReadResponse.progress"},
	{"secrets", "It never contains secrets or customer data.", "connector.v1.LogEntry"},

	// States and rows.
	{"invariant", "A state is sent only after every record that it covers.", "connector.v1.ConnectorService, What a state promises"},
	{"repeatable", "Records may be sent again; applying them by primary key, in the order received, produces the same rows.", "connector.v1.ConnectorService, What a state promises"},
	{"generation", "Its number increases each time the stream is read from the beginning again, with or without a state", "connector.v1.ConnectorService, Generations"},
	{"full-refresh", "Reads everything in the configured range. A state with work left is resumed; without a state, or with a state that has no work left, the stream is read from the beginning in a new generation.", "connector.v1.SyncMode.SYNC_MODE_FULL_REFRESH"},
	{"incremental", "Reads everything the first time, then only what changed since the state.", "connector.v1.SyncMode.SYNC_MODE_INCREMENTAL"},

	// Limits and choices.
	{"has-more", "Whether another Read from the final states has work left to do.", "connector.v1.Summary.has_more"},
	{"record-limit", "Stop after about this many records (the current page is completed), with has_more in the summary.", "connector.v1.ReadRequest.record_limit"},
	{"soft-deadline", "Stop after about this time, at the next checkpoint, with has_more in the summary.", "connector.v1.ReadRequest.soft_deadline"},
	{"drain", "closed to end the Read at its next checkpoint, with HasMore", "connector.ReadRequest"},
	{"field-selection", "The paths of the fields to send, such as \"billing_details.email\". The primary key and the cursor are always sent.", "connector.v1.ConfiguredStream.fields"},
	{"accepted-operations", "Records with another operation are not sent.", "connector.v1.ReadRequest.accepted_operations"},
	{"withheld", "Records that were not sent because accepted_operations excludes their operation.", "connector.v1.StreamSummary.withheld"},
	{"summary", "StreamSummary is the report of one stream. Counts are of this Read.", "connector.v1.StreamSummary"},
	{"skipped-generation", "For a stream that the key may not read: that of its state, or zero without a state. It doesn't change from Read to Read while the key may not read the stream.", "connector.v1.StreamStatusChange.generation"},

	// Ends.
	{"sink-error", "ends the Read if Send returns an error, with one exception: a Failure of class SourceData", "connector.Sink"},
	{"source-data", "The source then sends the other records and sets that one aside (SetAside), or ends its stream.", "connector.Sink"},
	{"cancellation", "When its context ends, Read returns promptly with the context's error.", "connector, Concurrency"},
	{"no-leak", "Once Read has returned, none of its goroutines is still running.", "connector, Concurrency"},
	{"sink-panic", "So does a panic of the sink.", "connector, Concurrency"},
	{"worker-panic", "A panic in a goroutine of the source ends only that Read, with a Failure of class System that has the stack in Internal and never in Message.", "connector, Concurrency"},
	{"concurrent", "A Source's methods may be called concurrently.", "connector, Concurrency"},

	// Requests.
	{"errors", "Every error that a Source returns is a Failure or a context error.", "connector, Errors"},
	{"check", "A configuration or key that doesn't work is a successful RPC with status FAILED and every problem listed.", "connector.v1.ConnectorService.Check"},
	{"bad-config", "The invalid fields of the request, for FAILURE_CLASS_CONFIG.", "connector.v1.Failure.violations"},
	{"bad-stream", "INVALID_ARGUMENT names the invalid fields of the request, before any record is sent.", "connector.v1.ConnectorService.Read"},
	{"bad-state", "A state of a stream that isn't configured, or one that this server doesn't understand, is rejected: it never means a silent full read.", "connector.v1.ReadRequest.states"},
}

// Promises returns every promise that the suite judges.
func Promises() []Promise { return slices.Clone(promises) }

// promise returns the promise with an id.
func promise(id string) Promise {
	i := slices.IndexFunc(promises, func(p Promise) bool { return p.ID == id })
	if i < 0 {
		panic(fmt.Sprintf("connectortest: there is no promise %q", id))
	}
	return promises[i]
}
