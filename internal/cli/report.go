package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// fewStreams is the number of streams up to which a report lists all of them, even those without changes.
const fewStreams = 10

// reportTable formats the report of a sync as an aligned table, followed by the reasons for streams that were skipped
// or failed. If there are more than fewStreams streams, those without changes are only counted.
func reportTable(report *client.Report) string {
	rows := [][]string{{"STREAM", "STATUS", "UPSERTS", "DELETES", "SIZE", "SECONDS"}}
	quiet := map[string]int{} // number of streams that aren't listed, by status
	var notes notes
	for _, s := range report.Streams {
		if len(report.Streams) > fewStreams && s.Upserts+s.Deletes+s.DeletesMatching == 0 && isQuiet(s) {
			quiet[statusWord(s.Status)]++
		} else {
			rows = append(rows, reportRow(s))
		}
		notes.add(s)
	}
	rows = append(rows, reportRow(report.Total()))
	table := align(rows, 2)
	if n := quiet["complete"]; n > 0 {
		table += fmt.Sprintf("\n%s complete without changes.\n", countWas(n, "stream"))
	}
	if n := quiet["skipped"]; n > 0 {
		table += fmt.Sprintf("\n%s skipped:\n", countWas(n, "stream"))
	}
	return table + fold(notes.String())
}

// isQuiet reports whether a stream without records can be omitted from the table.
func isQuiet(s client.StreamReport) bool {
	return s.Status == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE || s.Status == connectorv1.StreamStatus_STREAM_STATUS_SKIPPED
}

func countWas(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " was"
	}
	return count(n, thing) + " were"
}

// notes collects messages about streams, and groups the streams with the same message.
type notes struct {
	texts   []string
	streams map[string][]string // stream names, by text
}

func (n *notes) note(stream, text string) {
	if n.streams == nil {
		n.streams = map[string][]string{}
	}
	if n.streams[text] == nil {
		n.texts = append(n.texts, text)
	}
	n.streams[text] = append(n.streams[text], stream)
}

func (n *notes) add(s client.StreamReport) {
	name := streamName(s.Stream, s.Account)
	if s.Failure != nil {
		n.note(name, s.Failure.GetMessage()+"\n")
	}
	if s.Withheld > 0 {
		n.note(name, fmt.Sprintf("%s withheld because the destination can't apply them. Those rows stay.\n", countWas(int(s.Withheld), "deletion")))
	}
	if s.SetAsideTotal > 0 {
		n.note(name, setAside(s))
	}
	if notice := s.RefusedNotice(); notice != "" {
		n.note(name, notice+"\n")
	}
	if r := s.Reconciliation; r != nil && r.GetMissing()+r.GetStale()+r.GetExtra() > 0 {
		n.note(name, fmt.Sprintf("compared %s with Stripe and repaired %d missing, %d stale and %d extra.\n",
			records(r.GetListed()), r.GetMissing(), r.GetStale(), r.GetExtra()))
	}
}

// String returns the messages, each preceded by the streams that it applies to.
func (n *notes) String() string {
	var b strings.Builder
	for i, text := range n.texts {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString(someOf(n.streams[text], 4) + ": " + text)
	}
	return b.String()
}

// setAside describes the objects of a stream that could not be read, and why.
func setAside(s client.StreamReport) string {
	text := fmt.Sprintf("%s could not be read and will be retried by later syncs.\n", count(int(s.SetAsideTotal), "object"))
	for _, object := range s.SetAside {
		text += fmt.Sprintf("  %s: %s\n", object.GetKey(), object.GetFailure().GetMessage())
	}
	return text
}

func reportRow(s client.StreamReport) []string {
	return []string{
		streamName(s.Stream, s.Account), statusWord(s.Status), humanize.Comma(s.Upserts), humanize.Comma(s.Deletes + s.DeletesMatching),
		humanize.Bytes(uint64(s.Bytes)), fmt.Sprintf("%.1f", s.Duration.Seconds()),
	}
}

// reportJSON returns the report of a sync in the form printed as JSON.
func reportJSON(report *client.Report) any {
	type stream struct {
		Stream         string                      `json:"stream"`
		Account        string                      `json:"account,omitempty"`
		Status         string                      `json:"status"`
		Error          string                      `json:"error,omitempty"`
		Upserts        int64                       `json:"upserts"`
		Deletes        int64                       `json:"deletes"`
		Withheld       int64                       `json:"withheld,omitempty"`
		Bytes          int64                       `json:"bytes"`
		Seconds        float64                     `json:"seconds"`
		SetAside       int64                       `json:"set_aside,omitempty"`
		Refused        int                         `json:"refused,omitempty"`
		Reconciliation *connectorv1.Reconciliation `json:"reconciliation,omitempty"`
		Drift          *connectorv1.Drift          `json:"drift,omitempty"`
	}
	row := func(s client.StreamReport) stream {
		return stream{s.Stream, s.Account, statusWord(s.Status), s.Failure.GetMessage(), s.Upserts, s.Deletes + s.DeletesMatching, s.Withheld,
			s.Bytes, s.Duration.Seconds(), s.SetAsideTotal, s.RefusedTotal, s.Reconciliation, s.Drift}
	}
	streams := make([]stream, 0, len(report.Streams))
	for _, s := range report.Streams {
		streams = append(streams, row(s))
	}
	return map[string]any{"streams": streams, "total": row(report.Total()), "reads": report.Reads, "requests": report.Requests}
}

// streamName formats the name of a stream and its account for display.
func streamName(stream, account string) string {
	return client.StreamKey{Stream: stream, Account: account}.String()
}

// statusWord returns the word for a status.
func statusWord(s connectorv1.StreamStatus) string {
	if s == connectorv1.StreamStatus_STREAM_STATUS_UNSPECIFIED {
		return "not started"
	}
	return strings.ToLower(strings.TrimPrefix(s.String(), "STREAM_STATUS_"))
}

// align formats rows as a table. The first left columns are aligned left, the others right. If the table is wider than textWidth,
// the widest names on the left are abridged.
func align(rows [][]string, left int) string {
	if len(rows) == 0 {
		return ""
	}
	widths := make([]int, len(rows[0]))
	total := -2
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	wide := 0 // the widest of the left columns
	for i, width := range widths {
		total += width + 2
		if i < left && width > widths[wide] {
			wide = i
		}
	}
	if total > textWidth {
		widths[wide] = max(widths[wide]-(total-textWidth), 1)
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = abridge(cell, widths[i])
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

// abridge returns text with at most the given number of characters, without those in its middle.
func abridge(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most/2]) + "…" + string(runes[len(runes)-(most-most/2-1):])
}

// textWidth is the maximum width of printed text.
const textWidth = 80

// fold breaks lines that are longer than textWidth at spaces, and indents what follows. A longer word stays whole.
func fold(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		content := strings.TrimSuffix(line, "\n")
		indent := content[:len(content)-len(strings.TrimLeft(content, " "))]
		for utf8.RuneCountInString(content) > textWidth {
			runes := []rune(content)
			at := strings.LastIndex(strings.TrimRight(string(runes[:textWidth+1]), " "), " ")
			if utf8.RuneCountInString(content) > textWidth && string(runes[textWidth]) == " " {
				at = len(string(runes[:textWidth]))
			}
			if at <= len(indent)+2 {
				next := strings.Index(content[len(indent)+2:], " ")
				if next < 0 {
					break
				}
				at = next + len(indent) + 2
			}
			b.WriteString(strings.TrimRight(content[:at], " ") + "\n")
			content = indent + "  " + strings.TrimLeft(content[at:], " ")
		}
		b.WriteString(content)
		if strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// seconds formats a duration, rounded to tenths of a second.
func seconds(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }

// someOf lists at most the given number of names, followed by the number of the others.
func someOf(names []string, maximum int) string {
	names = slices.Compact(slices.Clone(names))
	if len(names) <= maximum {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maximum], ", "), len(names)-maximum)
}
