package client

import (
	"fmt"
	"strings"
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Report is what a Sync did.
type Report struct {
	// Streams are in the order selected; the accounts of a stream follow each other.
	Streams []StreamReport
	// Reads is the number of Reads that it took: one more than there were interruptions.
	Reads int
	// Requests counts those that the service made to the source, as far as it came to tell.
	Requests int64
	// Duration is the time from the call of Sync to its return.
	Duration time.Duration
}

// StreamReport is what became of one stream of one account.
type StreamReport struct {
	Stream, Account string
	// Status is COMPLETE, INCOMPLETE or SKIPPED; UNSPECIFIED if the stream was never begun.
	Status connectorv1.StreamStatus
	// Failure is why, if the stream is INCOMPLETE after a failure or SKIPPED.
	Failure *connectorv1.Failure
	// Upserts, Deletes and DeletesMatching count records that the destination committed, by their operation. Records that
	// came again after an interruption are counted again. A DELETE_MATCHING counts once, however many rows it deletes.
	Upserts, Deletes, DeletesMatching int64
	// Withheld counts records that the service did not send because the destination can't apply their operation: rows that
	// are gone at the source and stay in the destination. Reads that broke off are not counted.
	Withheld int64
	// SetAside names objects that could not be read and are missing or stale in the destination, at most 20 of them, and
	// SetAsideTotal counts all. The stream is COMPLETE without them; later syncs try them again.
	SetAside      []*connectorv1.SetAside
	SetAsideTotal int64
	// Reconciliation counts what the comparison found, if one was asked for and the stream could be compared.
	Reconciliation *connectorv1.Reconciliation
	// Bytes counts those of the records' JSON.
	Bytes int64
	// Duration is the time from the stream's first message to its last. Streams are read side by side.
	Duration time.Duration
	// Refused names records that the destination could not store and set aside, at most MaxRefused of them. Their rows are
	// missing or stale; the stream is COMPLETE all the same.
	Refused []Refusal
	// RefusedTotal counts those records, named or not.
	RefusedTotal int
}

// RefusedNotice returns what to tell a person about the records that were set aside, or "" if there is none.
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

// SetAsideNotice returns what to tell a person about the objects that could not be read, or "" if there is none.
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

// MaxRefused is the most records of one stream and account that a report names.
const MaxRefused = 20

// Total adds up the counts of all streams. Its Status is the worst of theirs.
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
