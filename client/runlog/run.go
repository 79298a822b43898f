package runlog

import (
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Status is the state of a run.
type Status string

// The statuses of a run.
const (
	Running   Status = "running"
	Succeeded Status = "succeeded" // every stream was completed, or skipped because the key may not read it
	Failed    Status = "failed"    // a stream, the service or the destination failed; Run.Error says how to fix it
	Stopped   Status = "stopped"   // the process was asked to stop; the next run resumes from there
	Lost      Status = "lost"      // the process died; the next run resumes from the last stored state
)

// Run is one attempt to run a pipeline.
type Run struct {
	// ID increases from run to run and is never reused. Begin sets it.
	ID       int64  `json:"id"`
	Pipeline string `json:"pipeline"`
	// Slot is when the run was due, and Attempt counts the runs of that slot from 1.
	Slot    time.Time `json:"slot"`
	Attempt int       `json:"attempt"`
	Status  Status    `json:"status"`
	// Process identifies the process that executed the run, as host:pid.
	Process string `json:"process"`
	// Started and Ended bound the run. Ended is zero while it runs; for a lost run it is the time of the last save.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Reads is the number of Read calls: one, plus one for each interruption.
	Reads int `json:"reads"`
	// Requests counts requests to the source, including Retries, those repeated after a failure.
	Requests int64 `json:"requests"`
	Retries  int64 `json:"retries"`
	// Waited is the time spent waiting for rate limits or before retries, summed over concurrent requests.
	Waited time.Duration `json:"-"`
	// Class is the class of the failure, such as AUTH, and Error says what failed and how to fix it. Both are empty if
	// nothing failed.
	Class string `json:"class,omitempty"`
	Error string `json:"error,omitempty"`
	// Streams are in selection order.
	Streams []Stream `json:"streams"`
}

// Stream is what a run did with one stream of one account.
type Stream struct {
	Stream  string `json:"stream"`
	Account string `json:"account,omitempty"`
	// Status is complete, incomplete, skipped, not started or running.
	Status string `json:"status"`
	// Extracted counts the records received from the service. Records received again after an interruption count again.
	Extracted int64 `json:"extracted"`
	// Loaded and Deleted count the rows that the destination committed: rows written, and rows removed or marked as deleted.
	Loaded  int64 `json:"loaded"`
	Deleted int64 `json:"deleted"`
	// Withheld counts the records that the service did not send because the destination can't apply them. Those rows no
	// longer exist at the source but stay in the destination.
	Withheld int64 `json:"withheld,omitempty"`
	// SetAside counts the objects that could not be read by the end of the run and are therefore missing or stale.
	SetAside int64 `json:"set_aside,omitempty"`
	// Drift is how the records differ from the stream's schema, or nil if none was examined.
	Drift *connectorv1.Drift `json:"drift,omitempty"`
	// Bytes is the size of the loaded records as JSON.
	Bytes int64 `json:"bytes"`
	// Duration is the time from the stream's first message to its last. Streams are read concurrently.
	Duration time.Duration `json:"-"`
	// Watermark is the time up to which changes are applied, or zero if the service doesn't report one.
	Watermark time.Time `json:"watermark,omitzero"`
	// Error says why the stream is incomplete or skipped, and how to fix it. If anything was set aside, it names the objects
	// that could not be read and the records that the destination could not store.
	Error string `json:"error,omitempty"`
}

// Entry is a line of a run's log.
type Entry struct {
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // info, warning or error
	Stream  string    `json:"stream,omitempty"`
	Account string    `json:"account,omitempty"`
	Message string    `json:"message"`
}

// Duration returns how long the run took, or has taken so far if it is still running.
func (r *Run) Duration(now time.Time) time.Duration {
	if r.Ended.IsZero() {
		return now.Sub(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

// Total returns the sums of the counts of all streams.
func (r *Run) Total() Stream {
	var total Stream
	for _, s := range r.Streams {
		total.Extracted += s.Extracted
		total.Loaded += s.Loaded
		total.Deleted += s.Deleted
		total.Withheld += s.Withheld
		total.SetAside += s.SetAside
		total.Bytes += s.Bytes
	}
	return total
}
