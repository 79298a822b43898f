package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// progress shows the progress of a sync to the user.
type progress interface {
	observe(m *connectorv1.ReadResponse)
	end()
}

// progress returns the display that the flags ask for: nothing with --quiet; a screen if stderr is a terminal, unless
// --verbose is set; lines otherwise.
func (a *app) progress(config *structpb.Struct) progress {
	switch m := newMeter(limitOf(config)); {
	case a.quiet:
		return silent{}
	case a.terminal && !a.verbose:
		return newScreen(a.stderr, a.width, m)
	default:
		return &lines{out: a.stderr, meter: m, verbose: a.verbose, last: time.Now()}
	}
}

// limitOf returns the limit on requests per second for a configuration: its max_requests_per_second, or else Stripe's
// limit for the mode of its key (https://docs.stripe.com/rate-limits). It returns zero if neither is known.
func limitOf(config *structpb.Struct) int {
	fields := config.GetFields()
	if maximum := fields["max_requests_per_second"].GetNumberValue(); maximum > 0 {
		return int(maximum)
	}
	switch key := fields["api_key"].GetStringValue(); {
	case strings.Contains(key, "_live_"):
		return 100
	case strings.Contains(key, "_test_"):
		return 25
	}
	return 0
}

// silent shows nothing.
type silent struct{}

func (silent) observe(*connectorv1.ReadResponse) {}
func (silent) end()                              {}

// progressInterval is the minimum time between two progress lines.
const progressInterval = 10 * time.Second

// lines prints the service's log entries, and a line of progress at most every 10 seconds. With verbose, it prints each
// heartbeat, and each stream as it ends.
type lines struct {
	out     io.Writer
	meter   *meter
	verbose bool
	last    time.Time
}

func (l *lines) observe(m *connectorv1.ReadResponse) {
	l.meter.observe(m)
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_StreamStatus:
		s := m.StreamStatus
		begun := s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_STARTED || s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_RUNNING
		if l.verbose && !begun {
			of := l.meter.stream(s.GetStream(), s.GetAccount())
			writeLine(l.out, "%s: %s, %s%s", of.key, statusWord(s.GetStatus()), records(of.records), reason(s.GetFailure()))
		}
	case *connectorv1.ReadResponse_Progress:
		if now := time.Now(); l.verbose || now.Sub(l.last) >= progressInterval {
			l.last = now
			writeLine(l.out, "%s, %s requests", l.meter.overall(now), humanize.Comma(m.Progress.GetRequests()))
		}
	case *connectorv1.ReadResponse_Log:
		writeLine(l.out, "%s", logLine(m.Log))
	}
}

func (l *lines) end() {}

// logLine formats a log entry as one line.
func logLine(entry *connectorv1.LogEntry) string {
	level := strings.ToLower(strings.TrimPrefix(entry.GetLevel().String(), "LOG_LEVEL_"))
	if name := streamName(entry.GetStream(), entry.GetAccount()); name != "" {
		level += ": " + name
	}
	return level + ": " + entry.GetMessage()
}

func reason(f *connectorv1.Failure) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf(": %s", f.GetMessage())
}
