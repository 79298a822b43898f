package singer

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Log writes logs and metrics in the form that Singer's runners read from stderr. It is safe for concurrent use, and, as a
// connector.Observer, logs the duration of each request.
type Log struct {
	mu sync.Mutex
	w  io.Writer
}

var _ connector.Observer = (*Log)(nil)

// NewLog returns a Log that writes to w.
func NewLog(w io.Writer) *Log { return &Log{w: w} }

// Info logs a message.
func (l *Log) Info(message string) { l.line("INFO", message) }

// Warn logs a warning.
func (l *Log) Warn(message string) { l.line("WARNING", message) }

// Fail logs why the run failed.
func (l *Log) Fail(message string) { l.line("CRITICAL", message) }

// line writes a line. It ignores errors, because a run shouldn't fail if only its log can't be written.
func (l *Log) line(level, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, level+" "+strings.ReplaceAll(message, "\n", " ")+"\n")
}

// metric is a metric in Singer's form: https://github.com/singer-io/singer-python#metrics.
type metric struct {
	Type  string         `json:"type"`
	Name  string         `json:"metric"`
	Value float64        `json:"value"`
	Tags  map[string]any `json:"tags"`
}

func (l *Log) metric(m metric) {
	text, err := json.Marshal(m)
	if err != nil {
		return // a number that JSON can't express
	}
	l.Info("METRIC: " + string(text))
}

// records logs how many more records a stream has sent.
func (l *Log) records(stream string, n int64) {
	l.metric(metric{Type: "counter", Name: "record_count", Value: float64(n), Tags: map[string]any{"endpoint": stream}})
}

// Requested logs the duration of a request.
func (l *Log) Requested(_ context.Context, r connector.Request) {
	status := "succeeded"
	if r.Class != 0 {
		status = "failed"
	}
	l.metric(metric{Type: "timer", Name: "http_request_duration", Value: r.Took.Seconds(), Tags: map[string]any{
		"endpoint": r.Endpoint, "status": status, "http_status_code": r.Status,
	}})
}

// Waited does nothing: heartbeats say what the run waits for.
func (l *Log) Waited(context.Context, connector.Wait) {}
