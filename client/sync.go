package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// SyncOptions are the options of [Client.Sync].
type SyncOptions struct {
	// Config is the configuration, as described by Spec's config_schema.
	Config *structpb.Struct
	// Destination stores the rows and the states. The caller closes it.
	Destination Destination
	// Selection selects the streams and fields to sync. The zero value means everything.
	Selection Selection
	// Reread makes the sync re-read the streams from the beginning, whatever states are stored. If it is interrupted,
	// the next sync resumes the re-read.
	Reread bool
	// Attempts is the number of Reads in a row without a new stored state after which Sync fails. Zero means 5.
	Attempts int
	// Wait is the time to wait before the first retry. It doubles up to 30 s, and is longer if the service requests
	// it. Zero means half a second.
	Wait time.Duration
	// Patience is how long the destination may be unreachable, or blocked by another client, before Sync fails.
	// Until then, Sync retries as after a Read that ended early. Zero means five minutes.
	Patience time.Duration
	// Reconcile makes the sync end with a comparison: each stream that has events is compared with the source, and any
	// difference is repaired. The first sync of a stream has nothing to compare.
	Reconcile bool
	// Follow makes the sync continue after it has caught up, and store changes as they happen, until ctx is done. It
	// resumes Reads that end early any number of times, with waits of up to 30 s.
	Follow bool
	// FollowInterval is how often to check for changes. Zero means the service's default.
	FollowInterval time.Duration
	// Observe, if set, is called with each message of each Read after it has been handled, and with a LogEntry before each
	// further Read. It must not retain or change the message. The sync waits until it returns.
	Observe func(context.Context, *connectorv1.ReadResponse)
}

// Sync reads streams into a destination, each from the state stored there, until all are complete. If a Read ends
// early for a temporary reason, or with work left, Sync resumes from the last stored state. It skips streams that the
// key can't read.
//
// The report is never nil. The error is nil if every stream is COMPLETE or SKIPPED. It is an [*Error] if the service or a
// stream failed, or else the error of the context or the destination. With Follow, Sync returns only if ctx is done or a
// failure is permanent. After any error, another Sync resumes where this one ended.
func (c *Client) Sync(ctx context.Context, opts SyncOptions) (*Report, error) {
	begun := time.Now()
	r := &run{client: c, opts: opts, tally: newTally()}
	err := r.discover(ctx)
	if err == nil {
		err = r.readAll(ctx, r.chosen)
	}
	if err == nil && opts.Reconcile {
		r.reconcile = true
		err = r.readAll(ctx, r.reconcilable())
	}
	report := r.tally.report(streams(r.chosen))
	report.Reads = r.reads
	report.Duration = time.Since(begun)
	return report, err
}

// Forget marks the selected streams in the destination, so that the next Sync reads them from the beginning. It
// returns how many of them had a state.
func (c *Client) Forget(ctx context.Context, opts SyncOptions) (int, error) {
	r := &run{client: c, opts: opts, tally: newTally()}
	if err := r.discover(ctx); err != nil {
		return 0, err
	}
	begun, err := opts.Destination.Begin(ctx, streams(r.chosen))
	if err != nil {
		return 0, fmt.Errorf("prepare the destination: %w", err)
	}
	labels, err := r.forget(ctx, begun.States)
	names := map[string]bool{}
	for _, label := range labels {
		names[label.GetStream()] = true
	}
	return len(names), err
}

// run is one Sync.
type run struct {
	client     *Client
	opts       SyncOptions
	chosen     []chosen
	tally      *tally
	reads      int
	unfinished []chosen // streams with work left
	progressed bool     // whether the current Read has stored a new state

	reconcile bool // whether the Read compares streams instead of reading changes
}

// readAll reads streams until none has work left.
func (r *run) readAll(ctx context.Context, rest []chosen) error {
	if r.unfinished = rest; len(rest) == 0 {
		return nil
	}
	return resume(ctx, newPace(r.opts), len(rest), r)
}

// reconcilable returns the streams that the source can compare.
func (r *run) reconcilable() []chosen {
	return slices.DeleteFunc(slices.Clone(r.chosen), func(c chosen) bool {
		return c.stream.GetFreshness() != connectorv1.Freshness_FRESHNESS_EVENTS || !r.tally.isComplete(c.stream.GetName())
	})
}

// attempt does one Read of the streams with work left.
func (r *run) attempt(ctx context.Context) (outcome, error) {
	orderly, err := r.read(ctx, r.unfinished)
	if r.opts.Follow {
		r.unfinished = r.tally.followable(r.unfinished)
	} else {
		r.unfinished = r.tally.unfinished(r.unfinished)
	}
	return outcome{orderly: orderly, progressed: r.progressed}, err
}

func (r *run) remaining() []chosen { return r.unfinished }

// discover determines the streams to read. If the service is temporarily unavailable, it retries, as for a Read.
func (r *run) discover(ctx context.Context) error {
	pace := newPace(r.opts)
	for {
		resp, err := r.client.Discover(ctx, &connectorv1.DiscoverRequest{Config: r.opts.Config})
		if err == nil {
			r.chosen, err = r.opts.Selection.apply(resp.GetStreams())
			return err
		}
		if !isTemporary(err) {
			return err
		}
		if err := pace.wait(ctx, err, false, r.observe); err != nil {
			return err
		}
	}
}

// read does one Read of these streams from the stored states. It reports whether the Read ended with a summary, which
// it may even if a stream failed.
func (r *run) read(ctx context.Context, rest []chosen) (orderly bool, err error) {
	begun, err := r.opts.Destination.Begin(ctx, streams(rest))
	if err != nil {
		return false, fmt.Errorf("prepare the destination: %w", err)
	}
	r.notify(ctx, begun.Notices)
	if r.opts.Reread && r.reads == 0 {
		if begun.States, err = r.forget(ctx, begun.States); err != nil {
			return false, err
		}
	}
	states, notices := unlabel(begun.States, rest)
	r.notify(ctx, notices)
	r.tally.setRefused(rest, begun.Refused)
	r.reads++
	r.progressed = false
	load := newLoader(r.opts.Destination, states)
	for _, c := range rest {
		load.fields[c.stream.GetName()] = c.fields
	}
	load.committed, load.refused = r.tally.addBatch, r.tally.refuse
	load.advanced = func() { r.progressed = true }
	defer load.abandon()
	var refused error // the destination's error, which would recur with the same records
	summary, err := r.client.ReadOnce(ctx, &connectorv1.ReadRequest{
		Config:       r.opts.Config,
		Streams:      configure(rest),
		States:       states,
		RecordFormat: connectorv1.RecordFormat_RECORD_FORMAT_JSON,

		AcceptedOperations: begun.AcceptedOperations,
		Follow:             r.opts.Follow,
		FollowInterval:     followInterval(r.opts),
		Reconcile:          r.reconcile,
	}, func(m *connectorv1.ReadResponse) error {
		refused = r.handle(ctx, load, m)
		return refused
	})
	if refused != nil {
		r.tally.reopen(rest)
		return false, refused
	}
	// Store what a state covers even if the caller has given up, to avoid re-reading it.
	if stored := load.finish(context.WithoutCancel(ctx), summary != nil); stored != nil {
		r.tally.reopen(rest)
		if isTemporary(err) { // whether to retry depends on the destination's error
			err = nil
		}
		return false, errors.Join(err, stored)
	}
	r.tally.summary(summary)
	return summary != nil, err
}

// handle handles one message.
func (r *run) handle(ctx context.Context, load *loader, m *connectorv1.ReadResponse) error {
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
		err = load.tick(ctx)
	}
	if err == nil {
		r.observe(ctx, m)
	}
	return err
}

// forget returns states that mark their streams to be read from the beginning, and stores them in the destination.
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

// notify logs the notices that Begin returned.
func (r *run) notify(ctx context.Context, notices []Notice) {
	for _, n := range notices {
		r.observe(ctx, warning(n.Stream, "", n.Message))
	}
}

// observe passes a message to Observe.
func (r *run) observe(ctx context.Context, m *connectorv1.ReadResponse) {
	if r.opts.Observe != nil {
		r.opts.Observe(ctx, m)
	}
}

// followInterval returns the interval for a request, or nil for the service's default.
func followInterval(opts SyncOptions) *durationpb.Duration {
	if !opts.Follow || opts.FollowInterval == 0 {
		return nil
	}
	return durationpb.New(opts.FollowInterval)
}
