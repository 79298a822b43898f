// Package emit keeps the promises of package connector on behalf of any source: the order of messages, counts, checkpoints,
// heartbeats, limits, and panics.
//
// A source makes an [Emitter] per Read, registers its streams, and does its work inside [Emitter.Run]:
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
// A state is sent only after every record that it covers. [Emitter.Commit] is the only way to send records, and the only
// one to move a cursor: it sends the records first, then calls Advance, and only then asks the streams for states to send.
// A source whose cursors move nowhere else can't break the invariant, because there is no call to forget.
//
// # Statuses
//
// A stream is STARTED by Begin and RUNNING with its first records. It ends COMPLETE, INCOMPLETE or SKIPPED, once: what is
// sent for a stream that has ended is dropped. Only in a Read that follows does a COMPLETE stream go on: its next records make
// it RUNNING again. A stream that the source leaves without an end is INCOMPLETE, with the state that was sent last.
//
// # Errors
//
// An error of the sink, and a panic in a goroutine of a [Group], end the Read: they are of types of their own, so that no
// source mistakes them for a failure of its service, and Run returns them even if the source ignored them. A panic becomes
// a Failure of class SYSTEM. The one exception is a Failure of class SourceData from the sink, about a batch with a record that
// cannot be carried: the record is found by halving the batch, and its stream goes on without it if the source can remember
// that (StreamOptions.Refused), and else ends.
package emit
