package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// recordingObserver is an Observer that records its calls as text.
type recordingObserver struct {
	mu    sync.Mutex
	lines []string
}

func (o *recordingObserver) add(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
}

func (o *recordingObserver) ReadBegan() { o.add("began") }
func (o *recordingObserver) ReadEnded() { o.add("ended") }
func (o *recordingObserver) RecordsSent(stream string, operation connector.Operation, sent Count) {
	o.add("%s: %d of operation %d, %d bytes", stream, sent.Records, operation, sent.Bytes)
}
func (o *recordingObserver) ReadFailed(class connector.Class) { o.add("failed: %s", class) }
func (o *recordingObserver) StreamSelected(string, string)    {}
func (o *recordingObserver) WatermarkReached(_, stream string, at time.Time) {
	o.add("%s: up to %d", stream, at.Unix())
}
func (o *recordingObserver) CallRefused()                 { o.add("refused") }
func (o *recordingObserver) HandshakeFailed(cause string) { o.add("handshake: %s", cause) }
func (o *recordingObserver) StreamEnded(stream string, status connector.Status, class connector.Class) {
	o.add("%s: %s %s", stream, status, class)
}

// all returns all log lines, decoded.
func (l *logs) all(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(l.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// lines returns the log lines with the given message, without attributes that vary between runs.
func (l *logs) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for _, line := range l.all(t) {
		if line["msg"] != message {
			continue
		}
		for name := range line {
			if name == "time" || name == "msg" || name == "duration_ms" || name == "call_id" || strings.HasPrefix(name, "grpc.") || strings.HasPrefix(name, "peer.") {
				delete(line, name)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestExtractionLog(t *testing.T) {
	const secret = "sk_test_0123456789"
	at := time.Unix(1_700_000_000, 0)
	failure := &connector.Failure{
		Class: connector.Transient, Message: "Stripe could not answer " + secret, RequestID: "req_1", HTTPStatus: 500, SourceCode: secret,
	}
	messages := []connector.Message{
		&connector.StreamStatus{Stream: "charges", Account: "acct_1", Status: connector.Started, Generation: 4},
		&connector.RecordBatch{Stream: "charges", Account: "acct_1", Records: []connector.Record{
			{Data: `{}`, Operation: connector.Upsert}, {Data: `{"a":1}`, Operation: connector.Delete}, {Data: `{"b":1}`, Operation: connector.Upsert},
			{Data: `{"c":1}`, Operation: connector.DeleteMatching},
		}},
		&connector.StateCheckpoint{StreamState: connector.StreamState{Stream: "charges", Account: "acct_1", State: []byte(`{}`)}, Watermark: at},
		&connector.StreamStatus{Stream: "charges", Account: "acct_1", Status: connector.Complete, Generation: 4},
		&connector.StreamStatus{Stream: "refunds", Status: connector.Started, Generation: 1},
		&connector.StreamStatus{Stream: "refunds", Status: connector.Incomplete, Generation: 1, Failure: failure},
	}
	orderly := connector.Summary{
		Streams: []connector.StreamSummary{
			{Stream: "charges", Account: "acct_1", Status: connector.Complete, Generation: 4, Watermark: at},
			{Stream: "refunds", Status: connector.Incomplete, Generation: 1, Failure: failure},
			{Stream: "payouts", Status: connector.Skipped},
		},
		Requests: 5, Retries: 6, Waited: time.Second, HasMore: true,
	}
	charges := map[string]any{
		"level": "INFO", "stream": "charges", "account": "acct_1", "status": "COMPLETE", "generation": 4.0, "upserts": 2.0, "deletes": 2.0,
		"bytes": 23.0, "watermark": "2023-11-14T22:13:20Z",
	}
	refunds := map[string]any{
		"level": "WARN", "stream": "refunds", "status": "INCOMPLETE", "generation": 1.0, "upserts": 0.0, "deletes": 0.0, "bytes": 0.0,
		"class": "TRANSIENT", "message": "Stripe could not answer [secret]", "request_id": "req_1", "http_status": 500.0, "source_code": "[secret]",
	}
	payouts := map[string]any{
		"level": "INFO", "stream": "payouts", "status": "SKIPPED", "generation": 0.0, "upserts": 0.0, "deletes": 0.0, "bytes": 0.0,
	}
	cut := map[string]any{"level": "INFO", "stream": "charges", "account": "acct_1", "status": "INCOMPLETE", "generation": 4.0,
		"upserts": 2.0, "deletes": 2.0, "bytes": 23.0, "watermark": "2023-11-14T22:13:20Z"}
	sent := []string{"began", "charges: 2 of operation 1, 9 bytes", "charges: 2 of operation 2, 14 bytes", "charges: up to 1700000000"}
	tests := map[string]struct {
		source connector.Source
		lines  []map[string]any
		call   map[string]any
		told   []string
	}{
		"orderly": {
			reads(orderly, messages...), []map[string]any{charges, refunds, payouts},
			map[string]any{"level": "WARN", "protocol": "grpc", "streams": 3.0, "records": 4.0, "bytes": 23.0, "requests": 5.0, "retries": 6.0,
				"waited_ms": 1000.0, "has_more": true},
			append(sent[:4:4], "charges: COMPLETE UNSPECIFIED", "refunds: INCOMPLETE TRANSIENT", "payouts: SKIPPED UNSPECIFIED", "ended", "failed: TRANSIENT"),
		},
		"broken off": {
			&fakeSource{read: func(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
				_, err := reads(orderly, messages[:3]...).Read(ctx, req, sink)
				if err == nil {
					panic("in the middle")
				}
				return connector.Summary{}, err
			}}, []map[string]any{cut},
			map[string]any{"level": "ERROR", "protocol": "grpc", "streams": 1.0, "records": 4.0, "bytes": 23.0},
			append(sent[:4:4], "charges: INCOMPLETE UNSPECIFIED", "ended"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			observer := &recordingObserver{}
			f := start(t, test.source, Options{Observer: observer})
			_, _ = f.readAll(t, &connectorv1.ReadRequest{
				Streams: []*connectorv1.ConfiguredStream{{Stream: "charges"}}, Config: object(t, `{"api_key": "`+secret+`"}`),
			})
			_ = f.conn.Close()
			if err := f.server.Shutdown(context.Background()); err != nil { // the last line is logged after the response
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.lines, f.logs.lines(t, "read stream")); diff != "" {
				t.Errorf("the lines of the streams (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]map[string]any{test.call}, f.logs.lines(t, "finished call")); diff != "" {
				t.Errorf("the line of the call (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.told, observer.lines); diff != "" {
				t.Errorf("what the observer is told (-want +got):\n%s", diff)
			}
			if strings.Contains(f.logs.String(), secret) {
				t.Error("the log has the key")
			}
		})
	}
}
