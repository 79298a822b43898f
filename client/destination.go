package client

import (
	"context"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Destination stores rows and the states that cover them. Its methods are called one at a time. Package destination
// has implementations, and package destinationtest tests any implementation.
//
// A Destination must survive a crash at any moment: the states that Begin returns afterwards cover no missing row.
// Rows may be sent again. Storing them again, in the order received and by primary key, must result in the same rows.
//
// A Destination must also notice if something else dropped, replaced or truncated a table, or dropped a column. It
// then returns no state for that stream, so the source re-reads it from the beginning.
type Destination interface {
	// Begin prepares the tables of these streams and returns what is stored for them. Where possible, it removes rows
	// that were stored without a state. It is called before each Read, and so again within a sync after a failure.
	Begin(ctx context.Context, streams []*connectorv1.Stream) (BeginResult, error)
	// Commit stores all of c or nothing, except records that can't be stored at all: see Commit.Refused. It doesn't retain c.
	Commit(ctx context.Context, c Commit) error
	// Close releases all resources. Committed data stays.
	Close() error
}

// BeginResult is what a Destination has stored for the streams of a Read.
type BeginResult struct {
	// States are the stored states of the streams, for all accounts.
	States []*connectorv1.StreamState
	// AcceptedOperations are the operations that the destination can apply. Empty means all; otherwise they include
	// OPERATION_UPSERT. The service withholds and counts records with other operations.
	AcceptedOperations []connectorv1.Operation
	// Notices are messages for the user.
	Notices []Notice
	// Refused are records that earlier commits set aside and that still can't be stored.
	Refused []Refusal
}

// Notice is a message to the user about a stream's table, for example that it was dropped.
type Notice struct{ Stream, Message string }

// Commit is what a Destination stores in one transaction.
type Commit struct {
	// Records must be applied in this order.
	Records []*connectorv1.RecordBatch
	// States replace the stored states of the same stream and account. Each covers every record of its stream and account in
	// this Commit and earlier ones.
	States []*connectorv1.StreamState
	// Completed are the streams that have been read to the end: all their records are in this Commit or earlier ones, and the
	// last stored state covers them. It is sent at the end of each sync, even without any change.
	Completed []Completion
	// Refused, if set, is called for each record that the destination sets aside, before Commit returns nil.
	Refused func(Refusal)
}

// Completion means that a stream of an account was read to its end in a generation. Rows of older generations no
// longer exist at the source. The destination handles them like a DELETE: it removes or marks them.
type Completion struct {
	Stream, Account string
	// Generation is the generation of the batches. It is never zero.
	Generation int64
}

// Refusal names a record that a destination couldn't store, such as one that a user's trigger rejects. Everything
// else in the commit is stored. The destination keeps the record, and retries it at each Begin until it can be stored
// or a newer record replaces it.
type Refusal struct {
	Stream, Account string
	Key             string // the row's primary key
	Reason          string // the reason and how to fix it, without values of the row
}

// Interruption is the error of a Destination that becomes usable again with another Begin: its connection was lost,
// for example, or a table was dropped between two commits. Sync resumes from the stored states, as after an
// interrupted Read.
type Interruption struct{ Err error }

func (i *Interruption) Error() string { return i.Err.Error() }

// Unwrap returns the cause.
func (i *Interruption) Unwrap() error { return i.Err }
