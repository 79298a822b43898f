package client

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Handlers handle the messages of a Read. They are called one at a time, in order; nil handlers are skipped. While a
// handler runs, the client buffers no more than gRPC's windows. An error of a handler ends the Read and is returned
// unchanged.
type Handlers struct {
	// Records is called with each batch. Apply the records in order, by primary key. After an interruption, the records since
	// the last state are sent again.
	Records func(context.Context, *connectorv1.RecordBatch) error
	// State is called with each state, which covers every record of its stream and account so far. When it returns
	// nil, the state and these records count as committed: if this Read is interrupted, it resumes from there, and a
	// later Read may start from there.
	State func(context.Context, *connectorv1.StreamState) error
	// Other is called with all other messages: statuses, progress, logs. It must not change the message.
	Other func(*connectorv1.ReadResponse)
}

// Read reads streams to their end, starting from the states in the request. If a Read ends early for a temporary
// reason, or because its replica shuts down, it resumes from the last committed states. It first waits half a second,
// doubling up to 30 s, or as long as the service requests. It stops retrying after five attempts in a row without a new
// committed state.
//
// The summary is the sum over all attempts. It is nil if no attempt was completed; the error is then an [*Error], the
// context's error or a handler's. Both are non-nil if a stream failed permanently. If a limit in the request ends the
// Read, the summary has has_more set. To read without resuming, use [Client.ReadOnce].
func (c *Client) Read(ctx context.Context, req *connectorv1.ReadRequest, h Handlers) (*connectorv1.Summary, error) {
	r := &reading{client: c, handlers: h, req: proto.CloneOf(req), tally: newTally(), begun: time.Now()}
	err := resume(ctx, newPace(SyncOptions{Follow: req.GetFollow()}), len(req.GetStreams()), r)
	if err == nil && r.summary == nil {
		err = r.broken
	}
	return r.summary, err
}

// reading is one Read with all its attempts.
type reading struct {
	client     *Client
	handlers   Handlers
	req        *connectorv1.ReadRequest // the request of the next attempt
	tally      *tally
	summary    *connectorv1.Summary
	begun      time.Time
	progressed bool  // whether the current attempt committed a new state
	broken     error // the reason why the last attempt ended early
}

// attempt does one Read of the streams left in the request.
func (r *reading) attempt(ctx context.Context) (outcome, error) {
	r.progressed = false
	var refused error // the error of a handler
	summary, err := r.client.ReadOnce(ctx, r.req, func(m *connectorv1.ReadResponse) error {
		refused = r.handle(ctx, m)
		return refused
	})
	r.broken = err
	r.add(summary)
	return outcome{orderly: summary != nil, progressed: r.progressed, over: refused != nil || err == nil && r.isLimited()}, err
}

// handle passes one message to its handler.
func (r *reading) handle(ctx context.Context, m *connectorv1.ReadResponse) error {
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		r.tally.touch(m.Records.GetStream(), m.Records.GetAccount())
		if r.req.GetRecordLimit() > 0 {
			r.req.RecordLimit = max(r.req.GetRecordLimit()-int64(len(m.Records.GetRecords())), 1)
		}
		if r.handlers.Records != nil {
			return r.handlers.Records(ctx, m.Records)
		}
		return nil
	case *connectorv1.ReadResponse_Checkpoint:
		if r.handlers.State != nil {
			if err := r.handlers.State(ctx, m.Checkpoint.GetState()); err != nil {
				return err
			}
		}
		r.commit(m.Checkpoint.GetState())
		return nil
	case *connectorv1.ReadResponse_StreamStatus:
		r.tally.status(m.StreamStatus)
	}
	r.observe(ctx, m)
	return nil
}

// commit makes the next attempt start from a state.
func (r *reading) commit(state *connectorv1.StreamState) {
	i := slices.IndexFunc(r.req.GetStates(), func(s *connectorv1.StreamState) bool {
		return s.GetStream() == state.GetStream() && s.GetAccount() == state.GetAccount()
	})
	if i < 0 {
		r.req.States = append(r.req.GetStates(), state)
		r.progressed = true
		return
	}
	r.progressed = r.progressed || !proto.Equal(r.req.GetStates()[i], state)
	r.req.States[i] = state
}

// observe passes on a message that is neither records nor a state.
func (r *reading) observe(_ context.Context, m *connectorv1.ReadResponse) {
	if r.handlers.Other != nil {
		r.handlers.Other(m)
	}
}

// isLimited reports whether the request has a limit that can end a Read with work left.
func (r *reading) isLimited() bool {
	return r.req.GetRecordLimit() > 0 || r.req.GetSoftDeadline() != nil
}

// remaining removes streams from the request for which another attempt would be useless, and returns the others.
func (r *reading) remaining() []chosen {
	var all []chosen
	for _, s := range r.req.GetStreams() {
		all = append(all, chosen{stream: &connectorv1.Stream{Name: s.GetStream()}})
	}
	rest := r.tally.unfinished(all)
	if r.req.GetFollow() {
		rest = r.tally.followable(all)
	}
	requested := func(stream string) bool {
		return slices.ContainsFunc(rest, func(c chosen) bool { return c.stream.GetName() == stream })
	}
	r.req.Streams = slices.DeleteFunc(r.req.GetStreams(), func(s *connectorv1.ConfiguredStream) bool { return !requested(s.GetStream()) })
	r.req.States = slices.DeleteFunc(r.req.GetStates(), func(s *connectorv1.StreamState) bool { return !requested(s.GetStream()) })
	if limit := r.req.GetSoftDeadline(); limit != nil {
		r.req.SoftDeadline = durationpb.New(max(limit.AsDuration()-time.Since(r.begun), time.Second))
	}
	return rest
}

// add adds the summary of an attempt to the sum.
func (r *reading) add(s *connectorv1.Summary) {
	r.tally.summary(s)
	if s == nil || r.summary == nil {
		r.summary = cmp.Or(s, r.summary)
		return
	}
	sum := proto.CloneOf(r.summary)
	for _, stream := range s.GetStreams() {
		i := slices.IndexFunc(sum.GetStreams(), func(have *connectorv1.StreamSummary) bool {
			return have.GetStream() == stream.GetStream() && have.GetAccount() == stream.GetAccount()
		})
		if i < 0 {
			sum.Streams = append(sum.GetStreams(), stream)
			continue
		}
		newer, older := proto.CloneOf(stream), sum.GetStreams()[i]
		newer.Upserts += older.GetUpserts()
		newer.Deletes += older.GetDeletes()
		newer.DeletesMatching += older.GetDeletesMatching()
		newer.Withheld += older.GetWithheld()
		newer.Bytes += older.GetBytes()
		newer.Drift = JoinDrifts(older.GetDrift(), newer.GetDrift())
		sum.Streams[i] = newer
	}
	sum.Requests += s.GetRequests()
	sum.Retries += s.GetRetries()
	sum.Waited = durationpb.New(sum.GetWaited().AsDuration() + s.GetWaited().AsDuration())
	sum.Duration = durationpb.New(time.Since(r.begun))
	sum.HasMore = s.GetHasMore()
	r.summary = sum
}
