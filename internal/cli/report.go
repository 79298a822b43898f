package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// reportTable gives the report of a sync as an aligned table, with the reasons of what was skipped or failed below.
func reportTable(report *client.Report) string {
	rows := [][]string{{"STREAM", "STATUS", "UPSERTS", "DELETES", "BYTES", "SECONDS"}}
	var reasons []string
	for _, s := range report.Streams {
		rows = append(rows, reportRow(s))
		name := streamName(s.Stream, s.Account)
		if s.Failure != nil {
			reasons = append(reasons, fmt.Sprintf("%s: %s\n", name, s.Failure.GetMessage()))
		}
		if s.Withheld > 0 {
			reasons = append(reasons, fmt.Sprintf("%s: %s deletions were withheld because the destination can't apply them. Those rows stay.\n",
				name, thousands(s.Withheld)))
		}
		if s.SetAsideTotal > 0 {
			reasons = append(reasons, setAside(name, s))
		}
		if notice := s.RefusedNotice(); notice != "" {
			reasons = append(reasons, fmt.Sprintf("%s: %s\n", name, notice))
		}
	}
	rows = append(rows, reportRow(report.Total()))
	table := align(rows, 2)
	if len(reasons) > 0 {
		table += "\n" + strings.Join(reasons, "")
	}
	return table
}

// setAside returns what is missing from a stream that is complete otherwise, and why.
func setAside(name string, s client.StreamReport) string {
	text := fmt.Sprintf("%s: %s objects could not be read and will be tried again by later syncs.\n", name, thousands(s.SetAsideTotal))
	for _, object := range s.SetAside {
		text += fmt.Sprintf("  %s: %s\n", object.GetKey(), object.GetFailure().GetMessage())
	}
	return text
}

func reportRow(s client.StreamReport) []string {
	return []string{
		streamName(s.Stream, s.Account), statusWord(s.Status), thousands(s.Upserts), thousands(s.Deletes + s.DeletesMatching), thousands(s.Bytes),
		fmt.Sprintf("%.1f", s.Duration.Seconds()),
	}
}

// streamName names a stream for people.
func streamName(stream, account string) string {
	if account == "" {
		return stream
	}
	return stream + " of " + account
}

// statusWord gives a status for people.
func statusWord(s connectorv1.StreamStatus) string {
	if s == connectorv1.StreamStatus_STREAM_STATUS_UNSPECIFIED {
		return "not started"
	}
	return strings.ToLower(strings.TrimPrefix(s.String(), "STREAM_STATUS_"))
}

// align pads cells so that columns line up: the first ones to the left, those after them to the right.
func align(rows [][]string, left int) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < left {
				line.WriteString(cell + padding + "  ")
			} else {
				line.WriteString(padding + cell + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// thousands writes a number with its digits in groups of three.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}

// seconds writes a duration for people.
func seconds(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }
