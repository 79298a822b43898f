package airbyte

import (
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// message is any message except a RECORD. Exactly one body is set.
type message struct {
	Type             string            `json:"type"`
	Log              *logBody          `json:"log,omitempty"`
	Spec             *specBody         `json:"spec,omitempty"`
	ConnectionStatus *connectionStatus `json:"connectionStatus,omitempty"`
	Catalog          *catalog          `json:"catalog,omitempty"`
	State            *stateBody        `json:"state,omitempty"`
	Trace            *traceBody        `json:"trace,omitempty"`
}

type logBody struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

type specBody struct {
	ProtocolVersion         string          `json:"protocol_version"`
	DocumentationURL        string          `json:"documentationUrl,omitempty"`
	SupportsIncremental     bool            `json:"supportsIncremental"`
	ConnectionSpecification json.RawMessage `json:"connectionSpecification"`
}

type connectionStatus struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

type descriptor struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

type stateBody struct {
	Type        string      `json:"type"`
	Stream      streamState `json:"stream"`
	SourceStats sourceStats `json:"sourceStats"`
}

type streamState struct {
	Descriptor descriptor      `json:"stream_descriptor"`
	State      json.RawMessage `json:"stream_state"`
}

type sourceStats struct {
	RecordCount count `json:"recordCount"`
}

// count is a number of records. The platform reads it as a double, which must have a decimal point.
type count int64

// MarshalJSON returns the number with a decimal point.
func (c count) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendInt(nil, int64(c), 10), '.', '0'), nil
}

type traceBody struct {
	Type         string        `json:"type"`
	EmittedAt    int64         `json:"emitted_at"` // in milliseconds
	Error        *traceError   `json:"error,omitempty"`
	Estimate     *estimate     `json:"estimate,omitempty"`
	StreamStatus *streamStatus `json:"stream_status,omitempty"`
}

type traceError struct {
	Message         string      `json:"message"`
	InternalMessage string      `json:"internal_message,omitempty"`
	FailureType     string      `json:"failure_type"`
	Descriptor      *descriptor `json:"stream_descriptor,omitempty"`
}

type estimate struct {
	Name         string `json:"name"`
	Type         string `json:"type"`
	RowEstimate  int64  `json:"row_estimate"`
	ByteEstimate int64  `json:"byte_estimate"`
}

type streamStatus struct {
	Descriptor descriptor `json:"stream_descriptor"`
	Status     string     `json:"status"`
	Reasons    []reason   `json:"reasons,omitempty"`
}

type reason struct {
	Type        string      `json:"type"`
	RateLimited rateLimited `json:"rate_limited"`
}

type rateLimited struct {
	QuotaReset int64 `json:"quota_reset"` // in milliseconds
}

// The statuses of a stream.
const (
	started    = "STARTED"
	running    = "RUNNING"
	complete   = "COMPLETE"
	incomplete = "INCOMPLETE"
)

// The types of failures.
const (
	configError    = "config_error"
	transientError = "transient_error"
	systemError    = "system_error"
)

// failureType says who can fix a failure.
func failureType(f *connector.Failure) string {
	switch f.Class {
	case connector.ConfigError, connector.AuthError, connector.PermissionError:
		return configError
	case connector.RateLimit, connector.Transient:
		return transientError
	case connector.SourceData, connector.System:
	}
	return systemError
}

// output writes messages, each on a line of its own.
type output struct {
	to   io.Writer
	now  func() time.Time
	last int64 // when records were last emitted, in milliseconds

	secrets [][]byte // never written
}

// write writes a message.
func (o *output) write(m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return o.lines(append(o.hide(line), '\n'))
}

// lines writes complete lines.
func (o *output) lines(text []byte) error {
	_, err := o.to.Write(text)
	return err
}

func (o *output) log(level, text string) error {
	return o.write(message{Type: "LOG", Log: &logBody{Level: level, Message: text}})
}

func (o *output) trace(t traceBody) error {
	t.EmittedAt = o.now().UnixMilli()
	return o.write(message{Type: "TRACE", Trace: &t})
}

func (o *output) status(stream, status string, reasons ...reason) error {
	return o.trace(traceBody{Type: "STREAM_STATUS", StreamStatus: &streamStatus{Descriptor: descriptor{Name: stream}, Status: status, Reasons: reasons}})
}

// failure reports a failure of a stream, or of the whole command if stream is empty.
func (o *output) failure(stream string, f *connector.Failure) error {
	e := &traceError{Message: f.Message, InternalMessage: f.Internal, FailureType: failureType(f)}
	if stream != "" {
		e.Descriptor = &descriptor{Name: stream}
	}
	return o.trace(traceBody{Type: "ERROR", Error: e})
}

func (o *output) state(stream string, state json.RawMessage, records int64) error {
	return o.write(message{Type: "STATE", State: &stateBody{
		Type: "STREAM", Stream: streamState{Descriptor: descriptor{Name: stream}, State: state}, SourceStats: sourceStats{count(records)},
	}})
}

// tick returns the time in milliseconds at which to emit a record. It is later than all earlier ones, so that a destination
// can order two versions of a row.
func (o *output) tick() int64 {
	o.last = max(o.last+1, o.now().UnixMilli())
	return o.last
}
