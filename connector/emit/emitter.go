package emit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Options are the choices of a source. The zero value works.
type Options struct {
	// Account is the account of every message; empty for the key's own.
	Account string
	// Now is the clock of checkpoints and of the summary; nil means time.Now.
	Now func() time.Time
	// Heartbeat is the time between two heartbeats; zero means 2 seconds.
	Heartbeat time.Duration
	// Meter counts the source's requests; nil means that it makes none.
	Meter Meter
}

// Meter counts what a Read asked of the service that the source reads. Its methods may be called at any time.
type Meter interface {
	Requests() int64
	Retries() int64
	// Waited returns the time spent waiting for limits and before retries, added up over all that waited.
	Waited() time.Duration
	// WaitingUntil returns when the longest wait at present ends; zero if none is under way at now.
	WaitingUntil(now time.Time) time.Time
	// Trouble returns what the Read is held up by, in words for the user; empty if by nothing worth mentioning.
	Trouble() string
}

// The checkpoint policy of requests that name none.
const (
	defaultCheckpointPages    = 50
	defaultCheckpointInterval = 5 * time.Second
)

const defaultHeartbeat = 2 * time.Second

// Emitter sends the messages of one Read. Its methods may be called from many goroutines.
type Emitter struct {
	sink      connector.Sink
	account   string
	now       func() time.Time
	heartbeat time.Duration
	meter     Meter
	accepted  map[connector.Operation]bool // nil: all
	follow    bool
	limits    limits
	policy    policy

	mu      sync.Mutex // held while a message is sent, and guards what follows
	streams []*Stream  // in the order of the request
	logged  map[string]bool
	// troubles are those that were logged.
	troubles map[string]bool
	broken   error // why nothing can be sent any more

	stopping chan struct{} // closed when the Read is to end early
	stop     sync.Once
	cutShort context.CancelFunc // ends the context of Run's read; set before that begins
}

// New returns the Emitter of a Read.
func New(req connector.ReadRequest, sink connector.Sink, o Options) *Emitter {
	e := &Emitter{
		sink: sink, account: o.Account, now: o.Now, heartbeat: o.Heartbeat, meter: o.Meter, follow: req.Follow,
		limits:   limits{records: req.RecordLimit, softDeadline: req.SoftDeadline, drain: req.Drain},
		policy:   policy{pages: req.CheckpointPages, interval: req.CheckpointInterval},
		logged:   map[string]bool{},
		troubles: map[string]bool{},
		stopping: make(chan struct{}),
		cutShort: func() {},
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.heartbeat == 0 {
		e.heartbeat = defaultHeartbeat
	}
	if e.meter == nil {
		e.meter = noMeter{}
	}
	if e.policy.pages == 0 {
		e.policy.pages = defaultCheckpointPages
	}
	if e.policy.interval == 0 {
		e.policy.interval = defaultCheckpointInterval
	}
	if len(req.AcceptedOperations) > 0 {
		e.accepted = map[connector.Operation]bool{}
		for _, operation := range req.AcceptedOperations {
			e.accepted[operation] = true
		}
	}
	e.policy.began = e.now()
	return e
}

// Run calls read, and returns the summary of the Read. Meanwhile it sends heartbeats and watches the limits of the
// request. Streams that read leaves without an end are INCOMPLETE.
//
// The context of read ends early if the sink fails, or if read goes on for longer than [Grace] after it was asked to stop;
// read may return the context's error then. An error of read, of the sink, or a panic ends the Read without a summary.
func (e *Emitter) Run(ctx context.Context, read func(ctx context.Context) error) (connector.Summary, error) {
	if err := e.run(ctx, read); err != nil {
		return connector.Summary{}, Final(err)
	}
	return e.summary(), nil
}

func (e *Emitter) run(ctx context.Context, read func(ctx context.Context) error) error {
	beside, besideCtx := NewGroup(ctx)
	besideCtx, over := context.WithCancel(besideCtx)
	defer over()
	readCtx, cut := context.WithCancel(besideCtx)
	defer cut()
	e.cutShort = cut
	beside.Go(func() error { return e.heartbeats(besideCtx) })
	beside.Go(func() error { return e.watchLimits(besideCtx) })
	err := guard(func() error { return read(readCtx) })
	over()
	aside := beside.Wait()
	switch cutOff := e.Stopped() && ctx.Err() == nil && errors.Is(err, context.Canceled); {
	case e.failed() != nil:
		return e.failed()
	case aside != nil:
		return aside
	case err != nil && !cutOff:
		return err
	}
	return e.leave(ctx)
}

// leave ends the streams that the source left without an end.
func (e *Emitter) leave(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.streams {
		if err := s.end(ctx, connector.Incomplete, nil); err != nil {
			return err
		}
	}
	return nil
}

// failed returns why nothing can be sent any more, or nil.
func (e *Emitter) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.broken
}

// send sends a message. It is called with mu held. A Failure of class SourceData is the only error that leaves the sink in
// order. The end of ctx is no error of the sink's: what was not sent then was not advanced over either.
func (e *Emitter) send(ctx context.Context, m connector.Message) error {
	if e.broken != nil {
		return e.broken
	}
	err := guard(func() error { return e.sink.Send(ctx, m) })
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*connector.Failure](err); ok && failure.Class == connector.SourceData {
		return failure
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	e.broken = err
	if _, panicked := errors.AsType[*panicError](err); !panicked {
		e.broken = &sinkError{err}
	}
	e.cutShort()
	return e.broken
}

// Log sends an entry about no stream in particular.
func (e *Emitter) Log(ctx context.Context, level connector.LogLevel, message string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.send(ctx, &connector.LogEntry{Level: level, Account: e.account, Message: message})
}

// noMeter is the Meter of a source that makes no requests.
type noMeter struct{}

func (noMeter) Requests() int64                  { return 0 }
func (noMeter) Retries() int64                   { return 0 }
func (noMeter) Waited() time.Duration            { return 0 }
func (noMeter) WaitingUntil(time.Time) time.Time { return time.Time{} }
func (noMeter) Trouble() string                  { return "" }
