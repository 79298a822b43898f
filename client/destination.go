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
type Destination interface {
	// Begin makes room for the rows of these streams and returns the states stored for them, of every account. It is
	// called before each Read, so also in the middle of a sync after a failure, and drops what it can of rows that were
	// stored without a state.
	Begin(ctx context.Context, streams []*connectorv1.Stream) ([]*connectorv1.StreamState, error)
	// Commit stores all of c or nothing. It keeps nothing of c after it returned.
	Commit(ctx context.Context, c Commit) error
	// Close gives everything back. What was committed stays.
	Close() error
}

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
}

// Completion says that a stream of an account was read to its end in a generation. Rows of older generations did not come
// back, so the source has them no longer: the destination removes them, or marks them, as it would for a DELETE.
type Completion struct {
	Stream, Account string
	// Generation is that of the batches that came. Never zero.
	Generation int64
}
