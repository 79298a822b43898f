package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// SyncOptions say what to sync, and where to.
type SyncOptions struct {
	// Config is the configuration, as Spec's config_schema describes it.
	Config *structpb.Struct
	// Destination takes the rows and keeps the states. The caller closes it.
	Destination Destination
	// Selection says which streams to sync, and which of their fields. The zero value means everything.
	Selection Selection
	// Reread has the streams read again from the beginning, whatever states are stored. If the sync is interrupted, the next
	// one goes on with that.
	Reread bool
	// Attempts is how many Reads in a row may end early without a new state stored before Sync gives up. Zero means 5.
	Attempts int
	// Wait is how long to rest after the first of these; it doubles to 30 s, and is longer where the service asks for it.
	// Zero means half a second.
	Wait time.Duration
	// Patience is how long the destination may be out of reach, or blocked by someone else, before Sync gives up: it retries as
	// after a Read that ended early. Zero means five minutes.
	Patience time.Duration
	// Observe, if set, sees each message of each Read after it was handled, and a LogEntry before each new Read. It must
	// not keep or change the message, and holds the sync up while it runs.
	Observe func(*connectorv1.ReadResponse)
}

// Sync reads streams into a destination, each from the state stored there, until all are complete. A Read that ends early
// for a passing reason, or with work left, is resumed from the last state stored. Streams that the key may not read are
// skipped.
//
// The report is never nil. The error is nil if every stream is COMPLETE or SKIPPED; it is an [*Error] if the service or a
// stream failed, the context's own, or the destination's. After any error, another Sync goes on where this one ended.
func (c *Client) Sync(ctx context.Context, opts SyncOptions) (*Report, error) {
	begun := time.Now()
	r := &run{client: c, opts: opts, tally: newTally()}
	err := r.discover(ctx)
	if err == nil {
		err = r.untilDone(ctx)
	}
	report := r.tally.report(streams(r.chosen))
	report.Reads = r.reads
	report.Duration = time.Since(begun)
	return report, err
}

// run is one Sync.
type run struct {
	client *Client
	opts   SyncOptions
	chosen []chosen
	tally  *tally
	reads  int
	fruit  bool // whether the Read under way stored a state that is new
}

// discover finds the streams to read. A service that is gone for the moment is asked again, as patiently as for a Read.
func (r *run) discover(ctx context.Context) error {
	pace := newPace(r.opts)
	for {
		resp, err := r.client.Discover(ctx, &connectorv1.DiscoverRequest{Config: r.opts.Config})
		if err == nil {
			r.chosen, err = r.opts.Selection.of(resp.GetStreams())
			return err
		}
		if !passing(err) {
			return err
		}
		if err := pace.rest(ctx, err, false, r.observe); err != nil {
			return err
		}
	}
}

// untilDone reads until no stream has work left that another Read could do. A Read may leave work without any failure: a
// service that shuts down ends it at a checkpoint, and another one goes on from there.
func (r *run) untilDone(ctx context.Context) error {
	pace := newPace(r.opts)
	var failed error // of the first Read in which a stream failed for good
	for rest := r.chosen; len(rest) > 0; {
		orderly, err := r.read(ctx, rest)
		if err != nil && !passing(err) {
			if !orderly {
				return err
			}
			failed = cmp.Or(failed, err)
		}
		left := r.tally.unfinished(rest)
		if len(left) == 0 {
			break
		}
		if err == nil {
			err = workLeft(left)
		}
		fruit := r.fruit || len(left) < len(rest)
		rest = left
		if err := pace.rest(ctx, err, fruit, r.observe); err != nil {
			return err
		}
	}
	return failed
}

// workLeft is why another Read is due although nothing failed.
func workLeft(rest []chosen) *Error {
	names := make([]string, len(rest))
	for i, c := range rest {
		names[i] = c.stream.GetName()
	}
	return &Error{Code: codes.OK, Failure: &connectorv1.Failure{
		Class:     connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
		Message:   fmt.Sprintf("The service ended the Read with work left on %s.", strings.Join(names, ", ")),
		Retryable: true,
	}}
}

// read does one Read of these streams, from the states that the destination holds, and tells whether it came to an
// orderly end, which it can also do with an error: that of a stream.
func (r *run) read(ctx context.Context, rest []chosen) (orderly bool, err error) {
	begun, err := r.opts.Destination.Begin(ctx, streams(rest))
	if err != nil {
		return false, fmt.Errorf("begin in the destination: %w", err)
	}
	r.notify(begun.Notices)
	if r.opts.Reread && r.reads == 0 {
		if begun.States, err = r.forget(ctx, begun.States); err != nil {
			return false, err
		}
	}
	states, notices := unlabel(begun.States, rest)
	r.notify(notices)
	r.tally.begun(rest, begun.Refused)
	r.reads++
	r.fruit = false
	load := newLoader(r.opts.Destination, states)
	for _, c := range rest {
		load.fields[c.stream.GetName()] = c.fields
	}
	load.committed, load.refused = r.tally.committed, r.tally.refuse
	load.advanced = func() { r.fruit = true }
	defer load.abandon()
	var refused error // by the destination: what it could not store it would not store now
	summary, err := r.client.ReadOnce(ctx, &connectorv1.ReadRequest{
		Config:       r.opts.Config,
		Streams:      configure(rest),
		States:       states,
		RecordFormat: connectorv1.RecordFormat_RECORD_FORMAT_JSON,

		AcceptedOperations: begun.AcceptedOperations,
	}, func(m *connectorv1.ReadResponse) error {
		refused = r.take(ctx, load, m)
		return refused
	})
	if refused != nil {
		r.tally.reopen(rest)
		return false, refused
	}
	// What a state covers is stored also when the caller gave up: it was paid for.
	if stored := load.finish(context.WithoutCancel(ctx), summary != nil); stored != nil {
		r.tally.reopen(rest)
		if passing(err) { // whether to go on is for the destination to say
			err = nil
		}
		return false, errors.Join(err, stored)
	}
	r.tally.summary(summary)
	return summary != nil, err
}

// take handles one message.
func (r *run) take(ctx context.Context, load *loader, m *connectorv1.ReadResponse) error {
	var err error
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		r.tally.touch(m.Records.GetStream(), m.Records.GetAccount())
		err = load.records(ctx, m.Records)
	case *connectorv1.ReadResponse_Checkpoint:
		err = load.state(ctx, m.Checkpoint)
	case *connectorv1.ReadResponse_StreamStatus:
		r.tally.status(m.StreamStatus)
		load.status(m.StreamStatus)
	}
	if err == nil {
		r.observe(m)
	}
	return err
}

// forget stores that the streams of these states are to be read from the beginning, and returns the states that say so.
func (r *run) forget(ctx context.Context, states []*connectorv1.StreamState) ([]*connectorv1.StreamState, error) {
	var labels []*connectorv1.StreamState
	for _, s := range states {
		labels = append(labels, rereadLabel(s))
	}
	if len(labels) == 0 {
		return nil, nil
	}
	if err := r.opts.Destination.Commit(ctx, Commit{States: labels}); err != nil {
		return nil, fmt.Errorf("forget states: %w", err)
	}
	return labels, nil
}

// notify reports what the destination found when it began.
func (r *run) notify(notices []Notice) {
	for _, n := range notices {
		r.observe(warning(n.Stream, "", n.Message))
	}
}

// observe shows a message to whoever looks on.
func (r *run) observe(m *connectorv1.ReadResponse) {
	if r.opts.Observe != nil {
		r.opts.Observe(m)
	}
}
