package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// The checkpoint policy, where the request has none.
const (
	defaultCheckpointPages    = 10
	defaultCheckpointInterval = 5 * time.Second
)

// emitter sends what passes read to the sink, one message at a time, and keeps count.
//
// It upholds the invariant: a state goes out only after the records of every page that it covers.
type emitter struct {
	mu      sync.Mutex // held while a message is sent: passes take turns
	sink    connector.Sink
	meter   *api.Meter
	now     func() time.Time
	account string
	mode    string
	outputs []*output // in the order of the request
	passes  []*pass
	warned  map[*member]bool

	heartbeat          time.Duration
	checkpointPages    int
	checkpointInterval time.Duration
}

// progress is what became of an output so far.
type progress struct {
	status    connector.Status
	failure   *connector.Failure
	upserts   int64
	bytes     int64
	sinceLast int64 // records since the last state
	pages     int   // pages since the last state
	lastState time.Time
	state     json.RawMessage // the last state that was sent
}

// done tells whether the output gets no more records.
func (p *progress) done() bool { return p.status >= connector.Complete }

func (s *Source) newEmitter(c config, req connector.ReadRequest, passes []*pass, outputs []*output, sink connector.Sink, meter *api.Meter) *emitter {
	e := &emitter{
		sink: sink, meter: meter, now: s.options.Now, account: c.Account, mode: c.mode(), passes: passes, outputs: outputs,
		warned:             map[*member]bool{},
		heartbeat:          s.options.Heartbeat,
		checkpointPages:    req.CheckpointPages,
		checkpointInterval: req.CheckpointInterval,
	}
	if e.checkpointPages == 0 {
		e.checkpointPages = defaultCheckpointPages
	}
	if e.checkpointInterval == 0 {
		e.checkpointInterval = defaultCheckpointInterval
	}
	return e
}

// begin tells that the streams of a pass are being read.
func (e *emitter) begin(ctx context.Context, p *pass) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, out := range p.outputs {
		out.lastState = e.now()
		if err := e.status(ctx, out, connector.Started, nil); err != nil {
			return err
		}
	}
	return nil
}

// page sends the records of a page, lets the pass advance over it, and sends the states that are due.
func (e *emitter) page(ctx context.Context, p *pass, h *harvest, advance func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.harvest(ctx, p, h); err != nil {
		return err
	}
	advance()
	for _, out := range p.outputs {
		out.pages++
	}
	if !e.due(p) {
		return nil
	}
	return e.checkpoint(ctx, p)
}

// flush sends records of a page that is not complete yet. No state covers them before it is.
func (e *emitter) flush(ctx context.Context, p *pass, h *harvest) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.harvest(ctx, p, h)
}

func (e *emitter) harvest(ctx context.Context, p *pass, h *harvest) error {
	h.project()
	for m, example := range h.strange {
		err := e.warn(ctx, m, fmt.Sprintf("%s lists %s, which does not belong there: such objects are left out.", m.stream.Path, example))
		if err != nil {
			return err
		}
	}
	for _, out := range p.outputs {
		if err := e.records(ctx, out, h.records[out]); err != nil {
			return err
		}
	}
	return nil
}

// records sends records of one output. One that the sink cannot carry ends that stream only.
func (e *emitter) records(ctx context.Context, out *output, records []connector.Record) error {
	if refusal := out.member.refusal(); refusal != nil && !out.done() {
		return e.status(ctx, out, connector.Skipped, refusal)
	}
	if out.done() || len(records) == 0 {
		return nil
	}
	if out.status == connector.Started {
		if err := e.status(ctx, out, connector.Running, nil); err != nil {
			return err
		}
	}
	err := e.sink.Send(ctx, &connector.RecordBatch{
		Stream: out.stream.Name, Account: e.account, Generation: out.generation, Records: records,
	})
	if failure, ok := asFailure(err); ok && failure.Class == connector.SourceData {
		return e.status(ctx, out, connector.Incomplete, failure)
	}
	if err != nil {
		return err
	}
	out.upserts += int64(len(records))
	out.sinceLast += int64(len(records))
	for _, record := range records {
		out.bytes += int64(len(record.Data))
	}
	return nil
}

// refusedByParent tells, once per endpoint, that Stripe refuses to list the children of some parents.
func (e *emitter) refusedByParent(ctx context.Context, m *member, failure *connector.Failure) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.warn(ctx, m, "Stripe refuses to list these for some of their parents, which are left out. "+failure.Message)
}

// warn says something about an endpoint, once in a Read.
func (e *emitter) warn(ctx context.Context, m *member, message string) error {
	if e.warned[m] {
		return nil
	}
	e.warned[m] = true
	return e.sink.Send(ctx, &connector.LogEntry{Level: connector.Warning, Stream: m.stream.Name, Account: e.account, Message: message})
}

// due tells whether a pass owes states.
func (e *emitter) due(p *pass) bool {
	for _, out := range p.outputs {
		if out.pages >= e.checkpointPages || e.now().Sub(out.lastState) >= e.checkpointInterval {
			return true
		}
	}
	return false
}

// checkpoint sends the states of a pass: they cover the pages over which it advanced.
func (e *emitter) checkpoint(ctx context.Context, p *pass) error {
	for _, out := range p.outputs {
		if out.done() {
			continue
		}
		encoded, err := json.Marshal(p.state(out, e.mode))
		if err != nil {
			return fmt.Errorf("encode the state of %s: %w", out.stream.Name, err)
		}
		err = e.sink.Send(ctx, &connector.StateCheckpoint{
			StreamState: connector.StreamState{Stream: out.stream.Name, Account: e.account, State: encoded},
			Records:     out.sinceLast,
		})
		if err != nil {
			return err
		}
		out.state, out.lastState, out.sinceLast, out.pages = encoded, e.now(), 0, 0
	}
	return nil
}

// sent gives the number of records sent so far.
func (e *emitter) sent() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	var n int64
	for _, out := range e.outputs {
		n += out.upserts
	}
	return n
}

// finish tells what became of the streams of a pass that ended, with a failure or, if err is nil, complete.
func (e *emitter) finish(ctx context.Context, p *pass, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	status, failure := connector.Complete, (*connector.Failure)(nil)
	switch {
	case errors.Is(err, errEnough):
		status = connector.Incomplete
	case err != nil:
		status, failure = connector.Incomplete, connector.AsFailure(err)
		if failure.Class == connector.PermissionError {
			status = connector.Skipped
		}
	}
	if status != connector.Skipped && (err == nil || p.touched()) {
		if err := e.checkpoint(ctx, p); err != nil {
			return err
		}
	}
	for _, out := range p.outputs {
		if out.done() {
			continue
		}
		if err := e.status(ctx, out, status, failure); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) status(ctx context.Context, out *output, status connector.Status, failure *connector.Failure) error {
	if failure != nil {
		named := *failure
		named.Stream, named.Account = out.stream.Name, e.account
		failure = &named
	}
	out.status, out.failure = status, failure
	return e.sink.Send(ctx, &connector.StreamStatus{
		Stream: out.stream.Name, Account: e.account, Status: status, Failure: failure, Generation: out.generation,
	})
}
