package cli

import (
	"fmt"
	"io"
	"strings"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// progress shows people how a sync gets on.
type progress interface {
	observe(m *connectorv1.ReadResponse)
	end()
}

// progress gives bars if stderr is a terminal and lines if not.
func (a *app) progress() progress {
	if a.terminal {
		return newBars(a.stderr)
	}
	return &lines{out: a.stderr, records: map[string]int64{}}
}

// lines tells of each stream's end, of heartbeats, and of what the service logs.
type lines struct {
	out     io.Writer
	records map[string]int64 // received, by stream
}

func (l *lines) observe(m *connectorv1.ReadResponse) {
	switch m := m.GetMessage().(type) {
	case *connectorv1.ReadResponse_Records:
		l.records[streamName(m.Records.GetStream(), m.Records.GetAccount())] += int64(len(m.Records.GetRecords()))
	case *connectorv1.ReadResponse_StreamStatus:
		s := m.StreamStatus
		name := streamName(s.GetStream(), s.GetAccount())
		switch s.GetStatus() {
		case connectorv1.StreamStatus_STREAM_STATUS_STARTED, connectorv1.StreamStatus_STREAM_STATUS_RUNNING:
		default:
			tell(l.out, "%s: %s, %s records%s", name, statusWord(s.GetStatus()), thousands(l.records[name]),
				reason(s.GetFailure()))
		}
	case *connectorv1.ReadResponse_Progress:
		tell(l.out, "%s", progressLine(m.Progress))
	case *connectorv1.ReadResponse_Log:
		tell(l.out, "%s", logLine(m.Log))
	}
}

func (l *lines) end() {}

// progressLine tells a heartbeat.
func progressLine(p *connectorv1.Progress) string {
	line := fmt.Sprintf("%s records, %s requests, %.0f %%",
		thousands(p.GetRecords()), thousands(p.GetRequests()), 100*p.GetFraction())
	if p.GetTimeLeft() != nil {
		line += ", about " + seconds(p.GetTimeLeft().AsDuration()) + " left"
	}
	if p.GetWaitingUntil() != nil {
		line += ", waiting for Stripe until " + p.GetWaitingUntil().AsTime().Format("15:04:05 UTC")
	}
	return line
}

// logLine tells a log entry.
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
	return ": " + f.GetMessage()
}
