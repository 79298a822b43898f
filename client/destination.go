package client

import (
	"context"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Destination stores rows and the states that cover them. Package destination holds some; package destinationtest proves
// any. Its methods are called one at a time.
//
// The promise that a Destination keeps: whenever the process dies, the states that Begin returns afterwards cover no row
// that is missing. Rows may come again; stored again in the order received, by primary key, they give the same rows.
//
// States and tables know each other. A Destination notices when something else dropped, replaced or emptied a table, or
// dropped a column, and then returns no state for that stream: the source reads it again from the beginning.
type Destination interface {
	// Begin makes room for the rows of these streams and returns what is stored for them. It is called before each Read, so
	// also in the middle of a sync after a failure, and drops what it can of rows that were stored without a state.
	Begin(ctx context.Context, streams []*connectorv1.Stream) (Beginning, error)
	// Commit stores all of c or nothing, except records that can't be stored whatever happens: see Commit.Refused. It keeps
	// nothing of c after it returned.
	Commit(ctx context.Context, c Commit) error
	// Close gives everything back. What was committed stays.
	Close() error
}

// Beginning is what a Destination holds for the streams of a Read.
type Beginning struct {
	// States are those stored for the streams, of every account.
	States []*connectorv1.StreamState
	// AcceptedOperations are those that the destination can apply. Empty means all; otherwise OPERATION_UPSERT is among
	// them. The service withholds and counts records with another operation.
	AcceptedOperations []connectorv1.Operation
	// Notices are for the user to read.
	Notices []Notice
	// Refused are the records set aside by earlier commits that still can't be stored.
	Refused []Refusal
}

// Notice is something about a stream's table that the user should know, such as that it was dropped.
type Notice struct{ Stream, Message string }

// Commit is what a Destination stores at once.
type Commit struct {
	// Records are to be applied in this order.
	Records []*connectorv1.RecordBatch
	// States replace those of the same stream and account. Each covers every record of its stream and account in this
	// Commit and in those before it.
	States []*connectorv1.StreamState
	// Completed are streams of which everything was read: all their records are in this Commit or in those before it, and
	// the last state stored covers them. It is sent again at the end of each sync, also of one without a change.
	Completed []Completion
	// Refused, if set, is called for each record that the destination set aside, before Commit returns nil.
	Refused func(Refusal)
}

// Completion says that a stream of an account was read to its end in a generation. Rows of older generations did not come
// back, so the source has them no longer: the destination removes them, or marks them, as it would for a DELETE.
type Completion struct {
	Stream, Account string
	// Generation is that of the batches that came. Never zero.
	Generation int64
}

// Refusal names a record that a destination could not store, such as one that a trigger of the user's rejects. Everything
// else is committed. The destination keeps the record, and tries it again at each Begin until it can be stored or a newer
// record replaces it.
type Refusal struct {
	Stream, Account string
	Key             string // the row's primary key
	Reason          string // why, and how to fix it, without values of the row
}

// Interruption is the error of a Destination that can be used again after another Begin: its connection was lost, say, or
// a table was dropped between two commits. Sync begins again from the states stored, as after a Read that was interrupted.
type Interruption struct{ Err error }

func (i *Interruption) Error() string { return i.Err.Error() }

// Unwrap returns the cause.
func (i *Interruption) Unwrap() error { return i.Err }
