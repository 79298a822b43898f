package client

import (
	"fmt"
	"strings"
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Report describes the outcome of a Sync.
type Report struct {
	// Streams are in the order of the selection. The accounts of a stream follow each other.
	Streams []StreamReport
	// Reads is the number of Reads: one, plus one for each interruption.
	Reads int
	// Requests counts the service's requests to the source, as far as it reported them.
	Requests int64
	// Duration is the time from the call of Sync to its return.
	Duration time.Duration
}

// StreamReport is the outcome of one stream of one account.
type StreamReport struct {
	Stream, Account string
	// Status is COMPLETE, INCOMPLETE or SKIPPED, or UNSPECIFIED if the stream never started.
	Status connectorv1.StreamStatus
	// Failure is the reason why the stream is SKIPPED, or why it failed if it is INCOMPLETE.
	Failure *connectorv1.Failure
	// Upserts, Deletes and DeletesMatching count the records that the destination committed, by operation. Records
	// that were sent again after an interruption count again. A DELETE_MATCHING counts as one, however many rows it
	// deletes.
	Upserts, Deletes, DeletesMatching int64
	// Withheld counts records that the service didn't send because the destination can't apply their operation. Their
	// rows are deleted at the source but stay in the destination. Interrupted Reads are not included.
	Withheld int64
	// SetAside lists objects that couldn't be read and are missing or stale in the destination, at most 20 of them.
	// SetAsideTotal is the number of all. The stream can be COMPLETE without them; later syncs retry them.
	SetAside      []*connectorv1.SetAside
	SetAsideTotal int64
	// Drift is how the records differ from the stream's schema, or nil if none was examined. Interrupted Reads are not included.
	Drift *connectorv1.Drift
	// Reconciliation has the counts of the comparison, if one was requested and the stream supports it.
	Reconciliation *connectorv1.Reconciliation
	// Bytes is the size of the records as JSON.
	Bytes int64
	// Duration is the time from the stream's first message to its last. Streams are read concurrently.
	Duration time.Duration
	// Refused lists records that the destination couldn't store and set aside, at most MaxRefused of them. Their rows
	// are missing or stale, but the stream can still be COMPLETE.
	Refused []Refusal
	// RefusedTotal is the number of all such records.
	RefusedTotal int
}

// RefusedNotice returns a message for users about the records in Refused, or "" if there are none.
func (s *StreamReport) RefusedNotice() string {
	if s.RefusedTotal == 0 {
		return ""
	}
	const named = 5
	var each []string
	for _, r := range s.Refused[:min(len(s.Refused), named)] {
		each = append(each, r.Key+" ("+r.Reason+")")
	}
	notice := "1 record could not be stored, and is set aside: "
	if s.RefusedTotal > 1 {
		notice = fmt.Sprintf("%d records could not be stored, and are set aside: ", s.RefusedTotal)
	}
	if s.RefusedTotal > named {
		each = append(each, "…")
	}
	return notice + strings.Join(each, ", ")
}

// SetAsideNotice returns a message for users about the objects in SetAside, or "" if there are none.
func (s *StreamReport) SetAsideNotice() string {
	if s.SetAsideTotal == 0 {
		return ""
	}
	const named = 5
	var each []string
	for _, object := range s.SetAside[:min(len(s.SetAside), named)] {
		each = append(each, object.GetKey()+" ("+object.GetFailure().GetMessage()+")")
	}
	if s.SetAsideTotal > named {
		each = append(each, "…")
	}
	notice := "1 object could not be read, and will be retried by later syncs: "
	if s.SetAsideTotal > 1 {
		notice = fmt.Sprintf("%d objects could not be read, and will be retried by later syncs: ", s.SetAsideTotal)
	}
	return notice + strings.Join(each, ", ")
}

// MaxRefused is the maximum number of records that [StreamReport] lists in Refused.
const MaxRefused = 20

// Total returns the sums over all streams. Its Status is the worst of theirs.
func (r *Report) Total() StreamReport {
	total := StreamReport{
		Stream: "total", Duration: r.Duration, Status: connectorv1.StreamStatus_STREAM_STATUS_COMPLETE,
	}
	for _, s := range r.Streams {
		total.Upserts += s.Upserts
		total.Deletes += s.Deletes
		total.DeletesMatching += s.DeletesMatching
		total.Withheld += s.Withheld
		total.SetAsideTotal += s.SetAsideTotal
		total.Bytes += s.Bytes
		total.RefusedTotal += s.RefusedTotal
		if s.Status != connectorv1.StreamStatus_STREAM_STATUS_COMPLETE && s.Status != connectorv1.StreamStatus_STREAM_STATUS_SKIPPED {
			total.Status = connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE
		}
	}
	return total
}
