package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func batchOf(stream string, n int) *connectorv1.ReadResponse {
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Records{Records: &connectorv1.RecordBatch{
		Stream: stream, Records: make([]*connectorv1.Record, n)}}}
}

func heartbeatOf(fraction float64, left time.Duration) *connectorv1.ReadResponse {
	p := &connectorv1.Progress{Fraction: fraction, Requests: 1000}
	if left > 0 {
		p.TimeLeft = durationpb.New(left)
	}
	return &connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Progress{Progress: p}}
}

// TestScreenFits draws a hundred streams with long names on terminals of several widths.
func TestScreenFits(t *testing.T) {
	for _, width := range []int{40, 80, 200} {
		m := newMeter(25)
		for i := range 100 {
			m.observe(batchOf(fmt.Sprintf("a_stream_with_a_rather_long_name_%d of acct_1234567890", i), 12_345))
		}
		m.observe(heartbeatOf(1, time.Second))
		lines := m.lines(time.Now(), width)
		if len(lines) > 12 {
			t.Errorf("%d lines, want at most 12:\n%s", len(lines), strings.Join(lines, "\n"))
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("wider than %d: %q", width, line)
			}
		}
		if !strings.Contains(lines[0], "0 of 25") && width > 40 {
			t.Errorf("want the rate and its limit, got %q", lines[0])
		}
		if text := strings.Join(lines, "\n"); strings.Contains(text, "100 %") {
			t.Errorf("it is not over, but says so:\n%s", text)
		}
	}
}

// TestTimeLeftIsHonest checks that no time left is shown while the estimates differ.
func TestTimeLeftIsHonest(t *testing.T) {
	m := newMeter(0)
	for _, left := range []time.Duration{2 * time.Second, time.Hour, time.Minute} {
		m.observe(heartbeatOf(0.5, left))
	}
	if got := m.left(time.Now()); got != "" {
		t.Errorf("got %q of estimates that differ", got)
	}
	for range 4 {
		m.observe(heartbeatOf(0.5, 3*time.Minute))
	}
	if got := m.left(time.Now()); got != "about 3 min left" {
		t.Errorf("got %q, want about 3 min left", got)
	}
}

func TestScreenIsErased(t *testing.T) {
	out := &output{}
	s := newScreen(out, func() int { return 80 }, newMeter(0))
	for range 3 {
		s.observe(batchOf("charges", 5))
	}
	s.observe(&connectorv1.ReadResponse{Message: &connectorv1.ReadResponse_Log{Log: &connectorv1.LogEntry{
		Level: connectorv1.LogLevel_LOG_LEVEL_WARNING, Message: strings.Repeat("long words ", 20) + plantedKey}}})
	s.end()
	if drawn, erased := strings.Count(out.String(), "15 records"), strings.Count(out.String(), "A\r"+eraseBelow); drawn == 0 || erased != drawn {
		t.Errorf("drawn %d times, erased %d times: %q", drawn, erased, out)
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if utf8.RuneCountInString(line) > 80+8 { // plus escape sequences that move the cursor
			t.Errorf("the line wraps: %q", line)
		}
	}
	if strings.Contains(out.String(), plantedKey) {
		t.Error("it shows a key")
	}
}
