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
	// Reconcile has each stream compared with the source at the end, for those whose changes are announced by events: what
	// they missed is repaired. The first sync of a stream has nothing to compare.
	Reconcile bool
	// Follow keeps the sync going when it has caught up: changes are stored as they come, until ctx is done. A Read that ends
	// early is resumed however often that happens, with waits that grow to 30 s.
	Follow bool
	// FollowInterval is the time between two looks for changes. Zero leaves it to the service.
	FollowInterval time.Duration
	// Observe, if set, sees each message of each Read after it was handled, and a LogEntry before each new Read. It must
	// not keep or change the message, and holds the sync up while it runs.
	Observe func(context.Context, *connectorv1.ReadResponse)
}

// Sync reads streams into a destination, each from the state stored there, until all are complete. A Read that ends early
// for a passing reason, or with work left, is resumed from the last state stored. Streams that the key may not read are
// skipped.
//
// The report is never nil. With Follow, Sync returns only if ctx is done or a failure doesn't pass by itself. The error is nil if every stream is COMPLETE or SKIPPED; it is an [*Error] if the service or a
// stream failed, the context's own, or the destination's. After any error, another Sync goes on where this one ended.
func (c *Client) Sync(ctx context.Context, opts SyncOptions) (*Report, error) {
	begun := time.Now()
	r := &run{client: c, opts: opts, tally: newTally()}
	err := r.discover(ctx)
	if err == nil {
		err = r.untilDone(ctx, r.chosen)
	}
	if err == nil && opts.Reconcile {
		r.reconcile = true
		err = r.untilDone(ctx, r.reconcilable())
	}
	report := r.tally.report(streams(r.chosen))
	report.Reads = r.reads
	report.Duration = time.Since(begun)
	return report, err
}

// Forget has the destination note that the streams selected are to be read from the beginning by the next Sync, and returns how
// many of them had a state.
func (c *Client) Forget(ctx context.Context, opts SyncOptions) (int, error) {
	r := &run{client: c, opts: opts, tally: newTally()}
	if err := r.discover(ctx); err != nil {
		return 0, err
	}
	begun, err := opts.Destination.Begin(ctx, streams(r.chosen))
	if err != nil {
		return 0, fmt.Errorf("begin in the destination: %w", err)
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
	client *Client
	opts   SyncOptions
	chosen []chosen
	tally  *tally
	reads  int
	rest   []chosen // with work left
	fruit  bool     // whether the Read under way stored a state that is new

	reconcile bool // whether the Read compares instead of reading what is new
}

// untilDone reads streams until none has work left.
func (r *run) untilDone(ctx context.Context, rest []chosen) error {
	if r.rest = rest; len(rest) == 0 {
		return nil
	}
	return resume(ctx, newPace(r.opts), len(rest), r)
}

// reconcilable returns the streams that can be compared with the source.
func (r *run) reconcilable() []chosen {
	return slices.DeleteFunc(slices.Clone(r.chosen), func(c chosen) bool {
		return c.stream.GetFreshness() != connectorv1.Freshness_FRESHNESS_EVENTS || !r.tally.complete(c.stream.GetName())
	})
}

// attempt does one Read of the streams with work left.
func (r *run) attempt(ctx context.Context) (outcome, error) {
	orderly, err := r.read(ctx, r.rest)
	if r.opts.Follow {
		r.rest = r.tally.followable(r.rest)
	} else {
		r.rest = r.tally.unfinished(r.rest)
	}
	return outcome{orderly: orderly, fruit: r.fruit}, err
}

func (r *run) left() []chosen { return r.rest }

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

// read does one Read of these streams, from the states that the destination holds, and tells whether it came to an
// orderly end, which it can also do with an error: that of a stream.
func (r *run) read(ctx context.Context, rest []chosen) (orderly bool, err error) {
	begun, err := r.opts.Destination.Begin(ctx, streams(rest))
	if err != nil {
		return false, fmt.Errorf("begin in the destination: %w", err)
	}
	r.notify(ctx, begun.Notices)
	if r.opts.Reread && r.reads == 0 {
		if begun.States, err = r.forget(ctx, begun.States); err != nil {
			return false, err
		}
	}
	states, notices := unlabel(begun.States, rest)
	r.notify(ctx, notices)
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
		Follow:             r.opts.Follow,
		FollowInterval:     followInterval(r.opts),
		Reconcile:          r.reconcile,
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
		err = load.tick(ctx)
	}
	if err == nil {
		r.observe(ctx, m)
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

// followInterval returns the interval for a request, or nil to leave it to the service.
func followInterval(opts SyncOptions) *durationpb.Duration {
	if !opts.Follow || opts.FollowInterval == 0 {
		return nil
	}
	return durationpb.New(opts.FollowInterval)
}
