package temporal

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

var (
	errWorkerStops = errors.New("the worker stops")
	errFollowed    = errors.New("followed for long enough")
)

// sync syncs a pipeline, and counts how the sync ended.
func (a *activities) sync(ctx context.Context, name string) (map[string]Counts, error) {
	endings := newEndings(activity.GetMetricsHandler(ctx))
	counts, err := a.syncOrFollow(ctx, name)
	endings.count(err)
	return counts, err
}

// syncOrFollow syncs a pipeline, or follows it for FollowTime. It resumes from the last states in the destination.
func (a *activities) syncOrFollow(parent context.Context, name string) (map[string]Counts, error) {
	p, err := a.pipeline(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	if p.Schedule.Follows() {
		timer := time.AfterFunc(a.FollowTime, func() { cancel(errFollowed) })
		defer timer.Stop()
	}
	m := &meter{progress: Progress{Records: map[string]int64{}}, metrics: activity.GetMetricsHandler(parent)}
	ended := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { m.beat(parent, a.HeartbeatInterval, ended, cancel) })
	e := a.execution(parent, name)
	e.Observe = m.observe
	begun := time.Now()
	report, err := p.Sync(ctx, e)
	close(ended)
	beating.Wait()
	if err != nil && ctx.Err() != nil && parent.Err() == nil {
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, errFollowed):
			return countsOf(report), nil
		case errors.Is(cause, errWorkerStops):
			return nil, sdk.NewNonRetryableApplicationError("The worker was asked to stop. The next one resumes from the last state.", errorStopped, nil)
		}
	}
	return countsOf(report), applicationError(err, retryDelay(activity.GetInfo(parent).Attempt, p.Wait, time.Since(begun), err))
}

// meter counts what a sync receives, for its heartbeats and for the worker's metrics.
type meter struct {
	metrics client.MetricsHandler

	mu       sync.Mutex
	progress Progress
}

// observe is called with each message of the sync.
func (m *meter) observe(_ context.Context, r *connectorv1.ReadResponse) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r := r.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		received(m.metrics, r.Records)
		m.progress.Records[r.Records.GetStream()] += int64(len(r.Records.GetRecords()))
	case *connectorv1.ReadResponse_Checkpoint:
		m.progress.StateAt = time.Now().UTC().Truncate(time.Second)
	}
}

// beat sends heartbeats until the sync has ended. It cancels the sync if the worker stops.
func (m *meter) beat(ctx context.Context, every time.Duration, ended <-chan struct{}, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	stops := activity.GetWorkerStopChannel(ctx)
	for {
		select {
		case <-ended:
			return
		case <-stops:
			cancel(errWorkerStops)
			stops = nil
		case <-ticker.C:
			m.mu.Lock()
			p := m.progress
			p.Records = maps.Clone(p.Records)
			m.mu.Unlock()
			activity.RecordHeartbeat(ctx, p)
		}
	}
}
