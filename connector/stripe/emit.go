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
	defaultCheckpointPages    = 50
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
	owner   owner
	follow  bool
	outputs []*output // in the order of the request
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
	deletes   int64
	bytes     int64
	sinceLast int64 // records since the last state
	pages     int   // pages since the last state
	lastState time.Time
	state     json.RawMessage   // the last state that was sent
	current   state             // what that says
	reported  bool              // that it is complete, in a Read that follows
	listed    bool              // its lists are read, as far as they are to be
	seen      map[string]second // events that were applied, by the hash of their id, with their time
	awaited   map[string]second // events whose lists are to be read again, with when
	floor     second            // events before it may be older than records that were sent

	caughtUp       bool                      // its changes are applied, and it waits to be compared
	reconciliation *connector.Reconciliation // nil if it was not
}

// done tells whether the output gets no more records.
func (p *progress) done() bool { return p.status >= connector.Complete }

func (s *Source) newEmitter(c config, req connector.ReadRequest, outputs []*output, sink connector.Sink, meter *api.Meter) *emitter {
	e := &emitter{
		sink: sink, meter: meter, now: s.options.Now, account: c.Account, mode: c.mode(), follow: req.Follow, outputs: outputs,
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
	return e.start(ctx, p.outputs)
}

// beginEvents tells that streams are being read of which only events tell.
func (e *emitter) beginEvents(ctx context.Context, outputs []*output) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.start(ctx, outputs)
}

func (e *emitter) start(ctx context.Context, outputs []*output) error {
	if err := e.notices(ctx, outputs); err != nil {
		return err
	}
	for _, out := range outputs {
		out.lastState = e.now()
		if out.status != 0 {
			continue // a second round of the same Read
		}
		if err := e.status(ctx, out, connector.Started, nil); err != nil {
			return err
		}
	}
	return nil
}

// notices tells what the user should know about outputs.
func (e *emitter) notices(ctx context.Context, outputs []*output) error {
	for _, out := range outputs {
		if out.notice == "" {
			continue
		}
		err := e.sink.Send(ctx, &connector.LogEntry{Level: connector.Warning, Stream: out.stream.Name, Account: e.account, Message: out.notice})
		if err != nil {
			return err
		}
		out.notice = ""
	}
	return nil
}

// page sends the records of a page, lets the pass advance over it, and sends the states that are due.
func (e *emitter) page(ctx context.Context, p *pass, h *harvest, advance func()) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.harvest(ctx, p.outputs, h); err != nil {
		return err
	}
	advance()
	for _, out := range p.outputs {
		out.pages++
		out.readAt(second(e.now().Unix()))
	}
	if !e.due(p) {
		return nil
	}
	return e.checkpoint(ctx, p)
}

// flush sends records that no state covers yet: of a page, or of changes, that are not complete.
func (e *emitter) flush(ctx context.Context, outputs []*output, h *harvest) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.harvest(ctx, outputs, h)
}

func (e *emitter) harvest(ctx context.Context, outputs []*output, h *harvest) error {
	h.project()
	for m, example := range h.strange {
		err := e.warn(ctx, m, fmt.Sprintf("%s lists %s, which does not belong there: such objects are left out.", m.stream.Path, example))
		if err != nil {
			return err
		}
	}
	for _, out := range outputs {
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
	out.sinceLast += int64(len(records))
	for _, record := range records {
		out.bytes += int64(len(record.Data))
		if record.Operation == connector.Upsert {
			out.upserts++
		} else {
			out.deletes++
		}
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
		if err := e.sendState(ctx, out, p.state(out, e.mode)); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) sendState(ctx context.Context, out *output, s state) error {
	s.Owner = e.owner
	encoded, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the state of %s: %w", out.stream.Name, err)
	}
	err = e.sink.Send(ctx, &connector.StateCheckpoint{
		StreamState: connector.StreamState{Stream: out.stream.Name, Account: e.account, State: encoded},
		Records:     out.sinceLast,
		Watermark:   s.watermark(),
	})
	if err != nil {
		return err
	}
	out.state, out.current, out.lastState, out.sinceLast, out.pages = encoded, s, e.now(), 0, 0
	return nil
}

// idleStates is how often the states of a Read that follows are sent while nothing changes.
const idleStates = 30 * time.Second

// changed lets outputs advance over events whose records were sent, and sends the states that are due: those that cover
// records, and all of them at the end of a sweep.
func (e *emitter) changed(ctx context.Context, outputs []*output, swept bool, advance func(*output)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, out := range outputs {
		if out.done() {
			continue
		}
		advance(out)
		age := e.now().Sub(out.lastState)
		if out.sinceLast == 0 && (!swept && age < e.checkpointInterval || e.follow && out.reported && age < idleStates) {
			continue
		}
		next := out.current
		next.Changes = out.changes
		if err := e.sendState(ctx, out, next); err != nil {
			return err
		}
	}
	return nil
}

// await notes that outputs wait to be compared.
func (e *emitter) await(outputs []*output) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, out := range outputs {
		out.caughtUp = true
	}
}

// reconciled notes what comparing outputs found; nil if it came to no end. A state covers what was sent meanwhile: it is
// the one of the sweep, but that the payload of an event until now may be older than a record.
func (e *emitter) reconciled(ctx context.Context, outputs []*output, counts *connector.Reconciliation) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, out := range outputs {
		out.reconciliation = counts
		if out.done() || out.sinceLast == 0 {
			continue
		}
		out.changes.Reread = max(out.changes.Reread, second(e.now().Unix())+1)
		next := out.current
		next.Changes = out.changes
		if err := e.sendState(ctx, out, next); err != nil {
			return err
		}
	}
	return nil
}

// log sends an entry about a stream, or about all.
func (e *emitter) log(ctx context.Context, level connector.LogLevel, stream, message string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sink.Send(ctx, &connector.LogEntry{Level: level, Stream: stream, Account: e.account, Message: message})
}

// end tells what became of outputs: complete, or left with work by a limit of the request or a failure.
func (e *emitter) end(ctx context.Context, outputs []*output, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	status, failure := outcome(err)
	for _, out := range outputs {
		if out.done() {
			continue
		}
		if out.status == connector.Started && out.reported && err == nil {
			out.status = connector.Complete // nothing came since that was said
			continue
		}
		if err := e.status(ctx, out, status, failure); err != nil {
			return err
		}
	}
	return nil
}

// outcome is the status that an error means for a stream.
func outcome(err error) (connector.Status, *connector.Failure) {
	switch {
	case err == nil:
		return connector.Complete, nil
	case errors.Is(err, errEnough):
		return connector.Incomplete, nil
	}
	failure := connector.AsFailure(err)
	if failure.Class == connector.PermissionError {
		return connector.Skipped, failure
	}
	return connector.Incomplete, failure
}

// sent gives the number of records sent so far.
func (e *emitter) sent() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	var n int64
	for _, out := range e.outputs {
		n += out.upserts + out.deletes
	}
	return n
}

// finish tells what became of the streams of a pass that ended, with a failure or, if err is nil, complete: those of which
// events tell more are not done yet.
func (e *emitter) finish(ctx context.Context, p *pass, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	status, failure := outcome(err)
	if err == nil {
		for _, out := range p.outputs {
			out.listed = true
			out.readAt(second(e.now().Unix()))
		}
	}
	if status != connector.Skipped && (err == nil || p.touched()) {
		if err := e.checkpoint(ctx, p); err != nil {
			return err
		}
	}
	for _, out := range p.outputs {
		if out.done() || err == nil && (out.swept || out.resumed && out.incremental) {
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
	out.status, out.failure, out.reported = status, failure, status == connector.Complete
	return e.sink.Send(ctx, &connector.StreamStatus{
		Stream: out.stream.Name, Account: e.account, Status: status, Failure: failure, Generation: out.generation,
	})
}
