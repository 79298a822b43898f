package client

import (
	"maps"
	"slices"
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// tally counts what a Sync did, over all its Reads.
type tally struct {
	streams  map[StreamKey]*count
	order    []StreamKey // by first message
	requests int64
}

// count is the progress of one stream of one account.
type count struct {
	StreamReport
	first, last time.Time
	refused     map[string]Refusal // by primary key
}

func newTally() *tally { return &tally{streams: map[StreamKey]*count{}} }

// touch returns the count of a stream, and records the arrival of a message.
func (t *tally) touch(stream, account string) *count {
	key := StreamKey{stream, account}
	c, ok := t.streams[key]
	if !ok {
		c = &count{StreamReport: StreamReport{Stream: stream, Account: account}, first: time.Now()}
		t.streams[key] = c
		t.order = append(t.order, key)
	}
	c.last = time.Now()
	return c
}

// status records the status of a stream.
func (t *tally) status(s *connectorv1.StreamStatusChange) {
	c := t.touch(s.GetStream(), s.GetAccount())
	c.Status, c.Failure = s.GetStatus(), s.GetFailure()
}

// addBatch counts a stored batch.
func (t *tally) addBatch(batch *connectorv1.RecordBatch) {
	c := t.touch(batch.GetStream(), batch.GetAccount())
	for _, r := range batch.GetRecords() {
		c.Bytes += int64(len(r.GetData()))
		switch r.GetOperation() {
		case connectorv1.Operation_OPERATION_UPSERT:
			c.Upserts++
		case connectorv1.Operation_OPERATION_DELETE:
			c.Deletes++
		case connectorv1.Operation_OPERATION_DELETE_MATCHING:
			c.DeletesMatching++
		case connectorv1.Operation_OPERATION_UNSPECIFIED: // never sent
		}
	}
}

// setRefused replaces the refused records of these streams by those that Begin returned.
func (t *tally) setRefused(streams []chosen, refused []Refusal) {
	for _, key := range t.order {
		if hasStream(streams, key.Stream) {
			t.streams[key].refused = nil
		}
	}
	for _, r := range refused {
		t.refuse(r)
	}
}

// refuse records a refused record.
func (t *tally) refuse(r Refusal) {
	c := t.touch(r.Stream, r.Account)
	if c.refused == nil {
		c.refused = map[string]Refusal{}
	}
	c.refused[r.Key] = r
}

// reopen marks those of these streams that are COMPLETE as INCOMPLETE, because some of their records arrived but were not
// stored.
func (t *tally) reopen(streams []chosen) {
	for _, key := range t.order {
		if c := t.streams[key]; hasStream(streams, key.Stream) && c.Status == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE {
			c.Status = connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE
		}
	}
}

func hasStream(streams []chosen, name string) bool {
	return slices.ContainsFunc(streams, func(c chosen) bool { return c.stream.GetName() == name })
}

// summary records the summary of a Read. A nil summary is ignored.
func (t *tally) summary(s *connectorv1.Summary) {
	t.requests += s.GetRequests()
	for _, stream := range s.GetStreams() {
		key := StreamKey{stream.GetStream(), stream.GetAccount()}
		c, ok := t.streams[key]
		if !ok {
			c = t.touch(key.Stream, key.Account)
		}
		c.Status, c.Failure = stream.GetStatus(), stream.GetFailure()
		c.Withheld += stream.GetWithheld()
		if compared := stream.GetReconciliation(); compared != nil {
			c.Reconciliation = compared
		}
		c.SetAside, c.SetAsideTotal = stream.GetSetAside(), stream.GetSetAsideTotal()
		c.Drift = JoinDrifts(c.Drift, stream.GetDrift())
	}
}

// unfinished returns the streams for which another Read would be useful.
func (t *tally) unfinished(all []chosen) []chosen {
	done := map[string]bool{}
	for _, key := range t.order {
		c := t.streams[key]
		before, seen := done[key.Stream]
		done[key.Stream] = (before || !seen) && c.isDone()
	}
	var rest []chosen
	for _, c := range all {
		if !done[c.stream.GetName()] {
			rest = append(rest, c)
		}
	}
	return rest
}

// isComplete reports whether a stream is complete in every account that was read.
func (t *tally) isComplete(stream string) bool {
	seen := false
	for _, key := range t.order {
		if key.Stream == stream && t.streams[key].Status != connectorv1.StreamStatus_STREAM_STATUS_COMPLETE {
			return false
		}
		seen = seen || key.Stream == stream
	}
	return seen
}

// followable returns the streams that another Read could follow: all except those that were skipped or failed
// permanently.
func (t *tally) followable(all []chosen) []chosen {
	return slices.DeleteFunc(slices.Clone(all), func(c chosen) bool {
		seen, done := false, true
		for _, key := range t.order {
			if s := t.streams[key]; key.Stream == c.stream.GetName() {
				seen = true
				done = done && s.isDone() && s.Status != connectorv1.StreamStatus_STREAM_STATUS_COMPLETE
			}
		}
		return seen && done
	})
}

// isDone reports whether another Read would be useless: the stream is complete, was skipped, or failed permanently.
func (c *count) isDone() bool {
	if c.Status == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE || c.Status == connectorv1.StreamStatus_STREAM_STATUS_SKIPPED {
		return true
	}
	return c.Failure != nil && !c.Failure.GetRetryable()
}

// report returns the reports of the selected streams.
func (t *tally) report(selected []*connectorv1.Stream) *Report {
	report := &Report{Requests: t.requests}
	for _, s := range selected {
		begun := false
		for _, key := range t.order {
			if key.Stream != s.GetName() {
				continue
			}
			begun = true
			c := t.streams[key]
			r := c.StreamReport
			r.Duration = c.last.Sub(c.first)
			r.RefusedTotal = len(c.refused)
			for _, id := range slices.Sorted(maps.Keys(c.refused))[:min(len(c.refused), MaxRefused)] {
				r.Refused = append(r.Refused, c.refused[id])
			}
			if r.Status == connectorv1.StreamStatus_STREAM_STATUS_STARTED || r.Status == connectorv1.StreamStatus_STREAM_STATUS_RUNNING {
				r.Status = connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE
			}
			report.Streams = append(report.Streams, r)
		}
		if !begun {
			report.Streams = append(report.Streams, StreamReport{Stream: s.GetName()})
		}
	}
	return report
}
