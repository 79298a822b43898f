// Package emit implements the contract of package connector on behalf of a source: message order, counts, checkpoints,
// heartbeats, limits and panics.
//
// A source creates an [Emitter] for each Read, registers its streams, and does its work inside [Emitter.Run]:
//
//	e := emit.New(req, sink, emit.Options{})
//	charges := e.Stream(emit.StreamOptions{Name: "charges", Checkpoint: func() (emit.Checkpoint, error) { … }})
//	return e.Run(ctx, func(ctx context.Context) error {
//		if err := charges.Begin(ctx, generation); err != nil {
//			return err
//		}
//		for … {
//			err := e.Commit(ctx, emit.Commit{
//				Batches: []emit.Batch{{Stream: charges, Records: page}},
//				Streams: []*emit.Stream{charges},
//				Advance: func() { cursor = next },
//			})
//			…
//		}
//		return charges.Complete(ctx)
//	})
//
// # The invariant
//
// A state is sent only after every record that it covers. [Emitter.Commit] is the only way to send records and the only
// place to move a cursor. It sends the records, then calls Advance, and only then asks the streams for the states to send.
// A source that moves its cursors only in Advance can't break the invariant.
//
// # Statuses
//
// Begin makes a stream STARTED, and its first records make it RUNNING. It ends once, as COMPLETE, INCOMPLETE or SKIPPED;
// anything sent for a stream that has ended is dropped. In a Read with Follow, a COMPLETE stream can continue: further
// records make it RUNNING again. A stream that the source doesn't end is INCOMPLETE, with the last state that was sent.
//
// # Errors
//
// An error of the sink, or a panic in a goroutine of a [Group], ends the Read. Both have types of their own, so that a
// source can't mistake them for a failure of its service, and Run returns them even if the source ignores them. A panic
// becomes a Failure of class SYSTEM.
//
// There is one exception: a Failure of class SourceData from the sink means that a batch contains a record that can't be
// carried. The record is found by bisecting the batch. If StreamOptions.Refused accepts it, the stream continues without
// that record; otherwise the stream ends.
package emit
