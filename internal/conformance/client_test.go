package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes" //nolint:depguard // a client goes by them
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status" //nolint:depguard // a client goes by it
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// bug is what is wrong with a client.
type bug string

const (
	dropsRecords     bug = "drops the last record of each batch"
	restarts         bug = "restarts from the beginning after an interruption"
	givesUp          bug = "stops at an error without a Failure"
	trustsStatus     bug = "trusts the status OK"
	ignoresMore      bug = "ignores has_more"
	statesFirst      bug = "stores states before rows"
	ignoresDeletes   bug = "ignores OPERATION_DELETE"
	losesStates      bug = "forgets the states when it ends"
	ignoresMatching  bug = "ignores OPERATION_DELETE_MATCHING"
	deletesLast      bug = "applies the deletions of a checkpoint after its upserts"
	keepsGenerations bug = "keeps rows of older generations"
	prunesAlways     bug = "deletes the rows of older generations whatever the status"
	hidesFailures    bug = "exits with 0 although a stream failed"
	stopsAtFailure   bug = "stops if a stream fails"
	failsAtSkipped   bug = "fails if a stream is skipped"
	retriesAll       bug = "retries if a Read was refused"
	goesByCode       bug = "retries only after UNAVAILABLE"
	hurries          bug = "ignores retry_after"
)

// simple is a client that is as short as a correct one can be, except for its bug.
type simple struct {
	bug     bug
	store   *store
	pending map[string][]*connectorv1.RecordBatch // since the last checkpoint, by stream
	skipped bool
}

// newSimple returns a client with a bug, or without one if it is empty.
func newSimple(b bug) Client {
	return func(ctx context.Context, s Setup) error {
		conn, err := grpc.NewClient(s.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close()
		c := &simple{bug: b}
		if c.store, err = openStore(s.Folder); err != nil {
			return err
		}
		err = c.sync(ctx, connectorv1.NewConnectorServiceClient(conn), s)
		if ctx.Err() != nil {
			return ctx.Err() // killed
		}
		if c.bug == losesStates {
			c.store.States = map[string]json.RawMessage{}
		}
		return errors.Join(err, c.store.save(), c.store.export())
	}
}

func (c *simple) sync(ctx context.Context, service connectorv1.ConnectorServiceClient, s Setup) error {
	config, err := readConfig(s.Config)
	if err != nil {
		return err
	}
	catalog, err := service.Discover(ctx, &connectorv1.DiscoverRequest{Config: config})
	if err != nil {
		return err
	}
	req := &connectorv1.ReadRequest{Config: config}
	for _, stream := range catalog.GetStreams() {
		req.Streams = append(req.GetStreams(), &connectorv1.ConfiguredStream{
			Stream: stream.GetName(), SyncMode: connectorv1.SyncMode_SYNC_MODE_INCREMENTAL})
	}
	c.store.prepare(catalog.GetStreams())
	for {
		summary, err := c.read(ctx, service, req)
		wait, again := c.decide(summary, err)
		if !again {
			switch {
			case c.skipped && c.bug == failsAtSkipped:
				return errors.New("a stream was skipped")
			case summary != nil && c.bug == hidesFailures:
				return nil
			}
			return err
		}
		if err != nil && c.bug == restarts {
			c.store.States = map[string]json.RawMessage{}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// decide returns whether to read again, and after how long.
func (c *simple) decide(summary *connectorv1.Summary, err error) (wait time.Duration, again bool) {
	if err == nil {
		if summary == nil {
			return 0, c.bug != trustsStatus
		}
		return 0, summary.GetHasMore() && c.bug != ignoresMore
	}
	st := status.Convert(err)
	var failure *connectorv1.Failure
	for _, d := range st.Details() {
		if f, ok := d.(*connectorv1.Failure); ok {
			failure = f
		}
	}
	wait = cmp.Or(failure.GetRetryAfter().AsDuration(), 10*time.Millisecond)
	switch {
	case failure == nil:
		return wait, c.bug != givesUp
	case summary == nil && c.bug == retriesAll:
		return wait, true
	case c.bug == goesByCode:
		return wait, st.Code() == codes.Unavailable
	case c.bug == hurries:
		wait = 0
	}
	return wait, failure.GetRetryable()
}

// read does one Read from the stored states.
func (c *simple) read(ctx context.Context, service connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest) (*connectorv1.Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.pending, req.States = map[string][]*connectorv1.RecordBatch{}, nil
	for stream, state := range c.store.States {
		content := &structpb.Struct{}
		if err := protojson.Unmarshal(state, content); err != nil {
			return nil, err
		}
		req.States = append(req.States, &connectorv1.StreamState{Stream: stream, Content: content})
	}
	stream, err := service.Read(ctx, req)
	if err != nil {
		return nil, err
	}
	var summary *connectorv1.Summary
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return summary, nil
		case err != nil:
			return summary, err
		}
		if m.GetSummary() != nil {
			summary = m.GetSummary()
		}
		if err := c.handle(m); err != nil {
			return summary, err
		}
	}
}

func (c *simple) handle(m *connectorv1.ReadResponse) error {
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		c.pending[m.Records.GetStream()] = append(c.pending[m.Records.GetStream()], m.Records)
	case *connectorv1.ReadResponse_Checkpoint:
		return c.commit(m.Checkpoint.GetState())
	case *connectorv1.ReadResponse_StreamStatus:
		s := m.StreamStatus
		ended := s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE && c.bug == prunesAlways
		if ended || s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE && c.bug != keepsGenerations {
			c.store.prune(s.GetStream(), s.GetGeneration())
			return c.save()
		}
		c.skipped = c.skipped || s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_SKIPPED
		if c.bug == stopsAtFailure && s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE && s.GetFailure() != nil {
			st, _ := status.New(codes.Internal, "stopped").WithDetails(s.GetFailure())
			return st.Err()
		}
	}
	return nil
}

// commit stores a state together with the records before it.
func (c *simple) commit(state *connectorv1.StreamState) error {
	content, err := protojson.Marshal(state.GetContent())
	if err != nil {
		return err
	}
	if c.bug == statesFirst {
		saved, err := openStore(c.store.folder)
		if err != nil {
			return err
		}
		saved.States[state.GetStream()] = content
		if err := saved.save(); err != nil {
			return err
		}
	}
	var last []func()
	for _, batch := range c.pending[state.GetStream()] {
		for i, record := range batch.GetRecords() {
			if c.bug == dropsRecords && i > 0 && i == len(batch.GetRecords())-1 {
				continue
			}
			do := func() { c.apply(batch, record) }
			if c.bug == deletesLast && record.GetOperation() != connectorv1.Operation_OPERATION_UPSERT {
				last = append(last, do)
				continue
			}
			do()
		}
	}
	for _, do := range last {
		do()
	}
	delete(c.pending, state.GetStream())
	c.store.States[state.GetStream()] = content
	return c.save()
}

func (c *simple) save() error {
	if c.bug == statesFirst {
		return nil // until the end
	}
	return c.store.save()
}

func (c *simple) apply(batch *connectorv1.RecordBatch, record *connectorv1.Record) {
	switch operation := record.GetOperation(); {
	case c.bug == ignoresDeletes && operation == connectorv1.Operation_OPERATION_DELETE:
	case c.bug == ignoresMatching && operation == connectorv1.Operation_OPERATION_DELETE_MATCHING:
	default:
		c.store.apply(batch, record)
	}
}
