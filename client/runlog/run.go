package runlog

import (
	"time"
)

// Status is what became of a run.
type Status string

// The statuses of a run.
const (
	Running   Status = "running"
	Succeeded Status = "succeeded" // every stream was completed, or skipped because the key may not read it
	Failed    Status = "failed"    // a stream, the service or the destination failed; Run.Error says how to mend it
	Stopped   Status = "stopped"   // the process was asked to end; the next run goes on from there
	Lost      Status = "lost"      // the process died; the next run goes on from the last state stored
)

// Run is one attempt to run a pipeline.
type Run struct {
	// ID grows from run to run, and is never used again. Begin sets it.
	ID       int64  `json:"id"`
	Pipeline string `json:"pipeline"`
	// Slot is when the run was due, and Attempt counts the runs of that slot from 1.
	Slot    time.Time `json:"slot"`
	Attempt int       `json:"attempt"`
	Status  Status    `json:"status"`
	// Process names the one that did it: host and process id.
	Process string `json:"process"`
	// Started and Ended are when it did. Ended is zero while it runs; of a run that was lost it is when it last gave a sign.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Reads is the number of Reads that it took: one more than there were interruptions.
	Reads int `json:"reads"`
	// Requests counts those made to the source, and Retries those of them that were made again after a failure.
	Requests int64 `json:"requests"`
	Retries  int64 `json:"retries"`
	// Waited is the time spent waiting for the source's limits or before a retry, added up over all that waited.
	Waited time.Duration `json:"-"`
	// Class is the failure's, such as AUTH, and Error what failed and how to mend it. Both are empty if nothing did.
	Class string `json:"class,omitempty"`
	Error string `json:"error,omitempty"`
	// Streams are in the order of the selection.
	Streams []Stream `json:"streams"`
}

// Stream is what a run did with one stream of one account.
type Stream struct {
	Stream  string `json:"stream"`
	Account string `json:"account,omitempty"`
	// Status is complete, incomplete, skipped or not begun; running while it runs.
	Status string `json:"status"`
	// Extracted counts the records that came from the service. Those that came again after an interruption are counted again.
	Extracted int64 `json:"extracted"`
	// Loaded and Deleted count the rows that the destination committed: those written, and those removed or marked.
	Loaded  int64 `json:"loaded"`
	Deleted int64 `json:"deleted"`
	// Bytes counts those of the loaded records' JSON.
	Bytes int64 `json:"bytes"`
	// Duration is the time from the stream's first message to its last. Streams are read side by side.
	Duration time.Duration `json:"-"`
	// Watermark is the instant up to which changes are applied; zero if the service does not tell.
	Watermark time.Time `json:"watermark,omitzero"`
	// Error says why the stream is incomplete or skipped, and how to fix it, or which records the destination set aside.
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

// Duration gives how long the run took, or has taken until now.
func (r *Run) Duration(now time.Time) time.Duration {
	if r.Ended.IsZero() {
		return now.Sub(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

// Total adds up the counts of all streams.
func (r *Run) Total() Stream {
	var total Stream
	for _, s := range r.Streams {
		total.Extracted += s.Extracted
		total.Loaded += s.Loaded
		total.Deleted += s.Deleted
		total.Bytes += s.Bytes
	}
	return total
}
