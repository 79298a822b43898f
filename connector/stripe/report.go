package stripe

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// heartbeats sends progress until ctx ends. It gives up quietly when the sink is broken: whoever reads finds out too.
func (e *emitter) heartbeats(ctx context.Context) {
	var last connector.Progress
	for wait(ctx, e.heartbeat) {
		e.mu.Lock()
		m := e.progress()
		m.RecordsPerSecond = float64(m.Records-last.Records) / e.heartbeat.Seconds()
		if gained := m.Fraction - last.Fraction; gained > 0 {
			m.TimeLeft = time.Duration((1 - m.Fraction) / gained * float64(e.heartbeat))
		}
		last = *m
		err := e.sink.Send(ctx, m)
		e.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (e *emitter) progress() *connector.Progress {
	m := &connector.Progress{
		Requests:     e.meter.Requests(),
		Retries:      e.meter.Retries(),
		WaitingUntil: e.meter.WaitingUntil(e.now()),
	}
	for _, out := range e.outputs {
		records, fraction := out.upserts+out.deletes, out.fraction()
		m.Records += records
		m.Fraction += fraction / float64(len(e.outputs))
		if out.status == connector.Started || out.status == connector.Running {
			m.Streams = append(m.Streams, connector.StreamProgress{
				Stream: out.stream.Name, Account: e.account, Records: records, Fraction: fraction,
			})
		}
	}
	return m
}

// summary reports on a Read that came to an orderly end.
func (e *emitter) summary(duration time.Duration) connector.Summary {
	s := connector.Summary{
		Requests: e.meter.Requests(),
		Retries:  e.meter.Retries(),
		Waited:   e.meter.Waited(),
		Duration: duration,
	}
	for _, out := range e.outputs {
		if out.status == connector.Incomplete {
			s.HasMore = true
		}
		s.Streams = append(s.Streams, connector.StreamSummary{
			Stream: out.stream.Name, Account: e.account, Status: out.status, Failure: out.failure,
			Upserts: out.upserts, Deletes: out.deletes, Bytes: out.bytes, Watermark: out.watermark(), Generation: out.generation, State: out.finalState(),
			Reconciliation: out.reconciliation,
		})
	}
	return s
}

// fraction gives the part of the stream's lists that is read.
func (o *output) fraction() float64 {
	if o.pass == nil {
		return 1
	}
	return o.pass.fraction()
}

// watermark gives the moment up to which changes are applied; zero if unknown.
func (o *output) watermark() time.Time {
	if o.status != connector.Complete {
		return time.Time{}
	}
	s := o.current
	s.Changes = o.changes
	return s.watermark()
}

// finalState gives the last state sent, or the one given if none was; nil if there is neither.
func (o *output) finalState() json.RawMessage {
	if o.state != nil || o.given == nil {
		return o.state
	}
	encoded, err := json.Marshal(o.given)
	if err != nil {
		return nil // it was decoded from JSON
	}
	return encoded
}
