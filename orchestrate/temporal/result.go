package temporal

import (
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
)

// The values of Result.Status.
const (
	StatusRunning   = "running"
	StatusSucceeded = "succeeded"
	StatusPaused    = "paused"
	StatusSkipped   = "skipped" // the pipeline was already running
)

// Result is the result of a workflow. Results, like everything in a history, hold counts and names of streams only.
type Result struct {
	Status string `json:"status"`
	// Streams are the counts of the last sync, by stream.
	Streams map[string]Counts `json:"streams,omitempty"`
}

// Counts are what a sync did for a stream, over all accounts.
type Counts struct {
	// Status is the worst of the accounts: complete, skipped, incomplete, or not started.
	Status  string `json:"status"`
	Loaded  int64  `json:"loaded"`
	Deleted int64  `json:"deleted"`
	// SetAside is the number of objects that Stripe can't serve, and of records that the destination rejects.
	SetAside int64 `json:"set_aside,omitempty"`
}

// countsOf returns the counts of a report by stream.
func countsOf(report *client.Report) map[string]Counts {
	if report == nil {
		return nil
	}
	all := map[string]Counts{}
	worst := map[string]int{}
	for _, s := range report.Streams {
		c := all[s.Stream]
		c.Loaded += s.Upserts
		c.Deleted += s.Deletes + s.DeletesMatching
		c.SetAside += s.SetAsideTotal + int64(s.RefusedTotal)
		if word, rank := statusOf(s); c.Status == "" || rank > worst[s.Stream] {
			c.Status, worst[s.Stream] = word, rank
		}
		all[s.Stream] = c
	}
	return all
}

// statusOf returns the word for the status of a stream, and how bad it is.
func statusOf(s client.StreamReport) (string, int) {
	word := strings.ToLower(strings.TrimPrefix(s.Status.String(), "STREAM_STATUS_"))
	switch word {
	case "complete":
		return word, 0
	case "skipped":
		return word, 1
	case "unspecified":
		return "not started", 2
	}
	return word, 3
}

// Progress are the details of a sync's heartbeats.
type Progress struct {
	// Records counts the records received, by stream.
	Records map[string]int64 `json:"records"`
	// StateAt is when the last state arrived. The zero time means that none has.
	StateAt time.Time `json:"state_at,omitzero"`
}

// State is the answer to the query [QueryProgress].
type State struct {
	// Status is running, or that of the last sync.
	Status string `json:"status"`
	// Syncs counts the syncs that have ended in this workflow run.
	Syncs int `json:"syncs"`
	// Again reports whether another sync follows the current one.
	Again bool `json:"again"`
	// Reread are the streams to re-read before the next sync.
	Reread []string `json:"reread,omitempty"`
	// Streams are the counts of the last sync, by stream.
	Streams map[string]Counts `json:"streams,omitempty"`
}
