package emit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Options configure an Emitter. The zero value is ready to use.
type Options struct {
	// Account is the account that every message names; empty for the key's own account.
	Account string
	// Now is the clock used for checkpoints and the summary; nil means time.Now.
	Now func() time.Time
	// Heartbeat is the interval between heartbeats; zero means 2 seconds.
	Heartbeat time.Duration
	// Meter counts the source's requests; nil means that the source makes none.
	Meter Meter
}

// Meter counts the requests that a Read makes to the source's service. Its methods may be called concurrently.
type Meter interface {
	Requests() int64
	Retries() int64
	// Waited returns the time spent waiting for rate limits and before retries, summed over all requests.
	Waited() time.Duration
	// WaitingUntil returns when the longest current wait ends, or zero if nothing is waiting at now.
	WaitingUntil(now time.Time) time.Time
	// Trouble describes for the user what is holding up the Read, or returns "" if nothing is.
	Trouble() string
}

// The checkpoint policy of requests that don't set one.
const (
	defaultCheckpointPages    = 50
	defaultCheckpointInterval = 5 * time.Second
)

const defaultHeartbeat = 2 * time.Second

// Emitter sends the messages of one Read. Its methods may be called concurrently.
type Emitter struct {
	sink      connector.Sink
	account   string
	now       func() time.Time
	heartbeat time.Duration
	meter     Meter
	accepted  map[connector.Operation]bool // nil means all
	follow    bool
	limits    limits
	policy    policy

	mu      sync.Mutex // held while a message is sent; guards the fields below
	streams []*Stream  // in the order of the request
	logged  map[string]bool
	// troubles are the troubles already logged.
	troubles map[string]bool
	broken   error // why nothing can be sent anymore

	stopping chan struct{} // closed when the Read is to end early
	stop     sync.Once
	cutShort context.CancelFunc // cancels the context passed to Run's read; set before read is called
}

// New returns an Emitter for one Read.
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

// Run calls read and returns the summary of the Read. While read runs, Run sends heartbeats and enforces the limits of the
// request. Streams that read doesn't end are INCOMPLETE.
//
// The context passed to read is canceled if the sink fails, or if read is still running [Grace] after it was asked to stop;
// read may then return the context's error. An error of read or of the sink, or a panic, ends the Read without a summary.
func (e *Emitter) Run(ctx context.Context, read func(ctx context.Context) error) (connector.Summary, error) {
	if err := e.run(ctx, read); err != nil {
		return connector.Summary{}, Final(err)
	}
	return e.summary(), nil
}

func (e *Emitter) run(ctx context.Context, read func(ctx context.Context) error) error {
	background, backgroundCtx := NewGroup(ctx)
	reading, done := context.WithCancel(backgroundCtx)
	defer done()
	readCtx, cut := context.WithCancel(backgroundCtx)
	defer cut()
	e.cutShort = cut
	background.Go(func() error { return e.heartbeats(backgroundCtx, reading) })
	background.Go(func() error { return e.watchLimits(reading) })
	err := guard(func() error { return read(readCtx) })
	done()
	aside := background.Wait()
	switch cutOff := e.Stopped() && ctx.Err() == nil && errors.Is(err, context.Canceled); {
	case e.failed() != nil:
		return e.failed()
	case aside != nil:
		return aside
	case err != nil && !cutOff:
		return err
	}
	return e.endStreams(ctx)
}

// endStreams ends the streams that the source did not end.
func (e *Emitter) endStreams(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.streams {
		if err := s.end(ctx, connector.Incomplete, nil); err != nil {
			return err
		}
	}
	return nil
}

// failed returns why nothing can be sent anymore, or nil.
func (e *Emitter) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.broken
}

// send sends a message. The caller holds mu. Errors break the emitter, with two exceptions: a Failure of class SourceData,
// after which the sink is still usable, and the end of ctx.
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

// Log sends a log entry that concerns no particular stream.
func (e *Emitter) Log(ctx context.Context, level connector.LogLevel, message string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.send(ctx, &connector.LogEntry{Level: level, Account: e.account, Message: message})
}

// LogOnce sends a log entry about no particular stream, unless one with the same key was already sent in this Read.
func (e *Emitter) LogOnce(ctx context.Context, key string, level connector.LogLevel, message string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.isFirst(key) {
		return nil
	}
	return e.send(ctx, &connector.LogEntry{Level: level, Account: e.account, Message: message})
}

// isFirst reports whether no log entry with the key was sent yet. The mutex must be held.
func (e *Emitter) isFirst(key string) bool {
	first := !e.logged[key]
	e.logged[key] = true
	return first
}

// noMeter is the Meter of a source that makes no requests.
type noMeter struct{}

func (noMeter) Requests() int64                  { return 0 }
func (noMeter) Retries() int64                   { return 0 }
func (noMeter) Waited() time.Duration            { return 0 }
func (noMeter) WaitingUntil(time.Time) time.Time { return time.Time{} }
func (noMeter) Trouble() string                  { return "" }
