package emit

import (
	"context"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// heartbeats sends progress until reading ends. A heartbeat that is being sent at that time is completed unless ctx ends
// too, so that the sink doesn't see a canceled context in a Read that succeeds.
func (e *Emitter) heartbeats(ctx, reading context.Context) error {
	ticks := time.NewTicker(e.heartbeat)
	defer ticks.Stop()
	var last connector.Progress
	for {
		select {
		case <-reading.Done():
			return nil
		case <-ticks.C:
		}
		if err := e.sendHeartbeat(ctx, &last); err != nil {
			return err
		}
	}
}

// sendHeartbeat sends one heartbeat. last is the previous one.
func (e *Emitter) sendHeartbeat(ctx context.Context, last *connector.Progress) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.progress()
	m.RecordsPerSecond = float64(m.Records-last.Records) / e.heartbeat.Seconds()
	if gained := m.Fraction - last.Fraction; gained > 0 {
		m.TimeLeft = time.Duration((1 - m.Fraction) / gained * float64(e.heartbeat))
	}
	*last = *m
	if err := e.send(ctx, m); err != nil {
		return err
	}
	return e.logTrouble(ctx)
}

// maxTroubles is the most kinds of trouble that a Read logs.
const maxTroubles = 20

// logTrouble logs what is holding up the Read, once per kind of trouble, so that the cause is visible before
// the Read fails.
func (e *Emitter) logTrouble(ctx context.Context) error {
	trouble := e.meter.Trouble()
	if trouble == "" || e.troubles[trouble] || len(e.troubles) == maxTroubles {
		return nil
	}
	e.troubles[trouble] = true
	return e.send(ctx, &connector.LogEntry{Level: connector.Warning, Account: e.account, Message: trouble})
}

func (e *Emitter) progress() *connector.Progress {
	m := &connector.Progress{
		Requests:     e.meter.Requests(),
		Retries:      e.meter.Retries(),
		WaitingUntil: e.meter.WaitingUntil(e.now()),
	}
	for _, s := range e.streams {
		records, fraction := s.counts.sent(), s.fraction()
		m.Records += records
		m.Fraction += fraction / float64(len(e.streams))
		if s.status == connector.Started || s.status == connector.Running {
			m.Streams = append(m.Streams, connector.StreamProgress{
				Stream: s.Name, Account: e.account, Records: records, Fraction: fraction,
			})
		}
	}
	return m
}

func (s *Stream) fraction() float64 {
	switch {
	case s.ended():
		return 1
	case s.Fraction == nil || s.status == 0: // unknown, or not started
		return 0
	}
	return s.Fraction()
}

// summary returns the report of a Read that ended normally.
func (e *Emitter) summary() connector.Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := connector.Summary{
		Requests: e.meter.Requests(),
		Retries:  e.meter.Retries(),
		Waited:   e.meter.Waited(),
		Duration: e.now().Sub(e.policy.began),
	}
	for _, s := range e.streams {
		m.HasMore = m.HasMore || s.status == connector.Incomplete
		m.Streams = append(m.Streams, s.summary())
	}
	return m
}

func (s *Stream) summary() connector.StreamSummary {
	aside := s.setAside()
	m := connector.StreamSummary{
		Stream: s.Name, Account: s.emitter.account, Status: s.status, Failure: s.failure,
		Upserts: s.counts.upserts, Deletes: s.counts.deletes, DeletesMatching: s.counts.deletesMatching,
		Withheld: s.counts.withheld, Bytes: s.counts.bytes, Generation: s.generation, State: s.Given,
		Reconciliation: s.reconciliation,
		SetAside:       aside[:min(len(aside), connector.MaxSetAside)],
		SetAsideTotal:  int64(len(aside)),
	}
	if s.Drift != nil {
		m.Drift = s.Drift()
	}
	if s.state.State != nil {
		m.State = s.state.State
	}
	if s.status == connector.Complete {
		m.Watermark = s.state.Watermark
	}
	return m
}
