package stripe

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// run is one Read.
type run struct {
	source      *Source
	config      config
	streams     table
	mode        string
	newestFirst bool
	pageSize    int
	now         func() time.Time
	client      *api.Client
	emitter     *emitter
	across      acrossIDs
	permits     permits
	workers     *errgroup.Group // of the round

	recordLimit  int64         // 0 for none
	softDeadline time.Duration // 0 for none
	drain        <-chan struct{}
	cutShort     context.CancelFunc

	reconciles bool
	compared   window // with reconciles
	clamped    bool   // that is less than was asked for

	follow         bool
	followInterval time.Duration
	updateMode     string
	overlap        second
	settling       second
	outputs        []*output
	seed           maphash.Seed
	readAgain      map[readingOf]reading // when changes were read again in this Read

	mu     sync.Mutex    // guards what the passes have left, active and ended
	passes []*pass       // of the round
	active int           // workers
	ended  chan struct{} // closed when a limit of the request is reached
}

// Read sends the records of the configured streams.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	c, err := s.parseConfig(req.Config)
	if err != nil {
		return connector.Summary{}, err
	}
	r := &run{
		source: s, config: c, streams: s.streams, mode: c.mode(), client: s.client(c, s.options.Retry), permits: s.permits,
		newestFirst: req.NewestFirst, pageSize: s.options.PageSize, recordLimit: req.RecordLimit, softDeadline: req.SoftDeadline,
		drain: req.Drain, now: s.options.Now, follow: req.Follow, followInterval: req.FollowInterval,
		updateMode: c.UpdateMode, overlap: c.Overlap, settling: c.Settling,
		seed: maphash.MakeSeed(), readAgain: map[readingOf]reading{}, ended: make(chan struct{}),
	}
	if r.followInterval == 0 {
		r.followInterval = defaultFollowInterval
	}
	r.reconciles = req.Reconcile
	r.compared, r.clamped = compared(req, c, second(s.options.Now().Unix()))
	if r.passes, r.outputs, err = s.plan(c, req, &r.mu); err != nil {
		return connector.Summary{}, err
	}
	r.emitter = s.newEmitter(c, req, r.outputs, sink, &r.client.Meter)
	if r.emitter.owner, err = r.verifyOwner(ctx); err != nil {
		return connector.Summary{}, err
	}
	began := s.options.Now()
	if err := r.all(ctx); err != nil {
		return connector.Summary{}, err
	}
	return r.emitter.summary(s.options.Now().Sub(began)), nil
}

// all reads the lists and the events. An error ends the Read; failures of single streams do not.
func (r *run) all(ctx context.Context) error {
	besideCtx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer func() { stop(); beside.Wait() }()
	beside.Go(func() { r.emitter.heartbeats(besideCtx) })

	workCtx, cutShort := context.WithCancel(ctx)
	r.cutShort = cutShort
	defer cutShort()
	if r.softDeadline > 0 {
		defer time.AfterFunc(r.softDeadline, r.enough).Stop()
		defer time.AfterFunc(r.softDeadline+softDeadlineGrace, r.cutShort).Stop()
	}
	beside.Go(func() { r.heedDrain(besideCtx) })
	err := r.rounds(workCtx)
	if err != nil && (ctx.Err() != nil || !r.stopped() || !errors.Is(err, context.Canceled)) {
		return err
	}
	return r.leave(ctx)
}

// lists reads the passes of a round with as many workers as the rate has use for.
func (r *run) lists(ctx context.Context) error {
	workers, workCtx := errgroup.WithContext(ctx)
	r.workers = workers
	first, span := r.next()
	workers.Go(func() error { return r.work(workCtx, first, span) })
	for range firstWorkers - 1 {
		r.recruit(workCtx)
	}
	return workers.Wait()
}

// errEnough is why a pass ends when a limit of the request is reached.
var errEnough = errors.New("a limit of the request was reached")

// softDeadlineGrace is how long pages in hand may take after the soft deadline, so that even a Read with a short one
// gets on. After it, waits for Stripe are cut short.
const softDeadlineGrace = 5 * time.Second

// enough ends the Read early: pages in hand are emitted, and no others are asked for.
func (r *run) enough() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped() {
		close(r.ended)
	}
	for _, p := range r.passes {
		if p.err == nil && !p.ended() {
			p.err = errEnough
		}
	}
}

// stopped tells whether a limit of the request is reached.
func (r *run) stopped() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// heedDrain ends the Read early when its caller is about to go away.
func (r *run) heedDrain(ctx context.Context) {
	select {
	case <-r.drain:
		r.enough()
		if wait(ctx, softDeadlineGrace) {
			r.cutShort()
		}
	case <-ctx.Done():
	}
}

// leave tells what became of the streams that enough ended.
func (r *run) leave(ctx context.Context) error {
	for _, p := range r.passes {
		if !errors.Is(p.err, errEnough) {
			continue
		}
		if err := r.begin(ctx, p); err != nil {
			return err
		}
		if err := r.emitter.finish(ctx, p, errEnough); err != nil {
			return err
		}
	}
	if err := r.notReconciled(ctx); err != nil {
		return err
	}
	return r.emitter.end(ctx, r.outputs, errEnough)
}

// ends tells whether an error concerns the whole Read: the caller is gone, the sink is broken, or the key is refused.
func ends(err error) bool {
	if err == nil {
		return false
	}
	failure, ok := asFailure(err)
	return !ok || failure.Class == connector.AuthError
}

// asFailure finds the Failure in an error.
func asFailure(err error) (*connector.Failure, bool) { return errors.AsType[*connector.Failure](err) }

// wait sleeps for d or until ctx ends, and tells whether it slept all of it.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
