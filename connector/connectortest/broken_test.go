package connectortest_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
	"github.com/stripe-connector/stripe-connector/connector/emit"
)

// brokenSources break exactly one promise each. The suite is worth what it makes of them.
var brokenSources = []struct {
	promise string
	how     string
	breaks  func(t *testing.T, s *changed)
	options func(t *testing.T, o *connectortest.Options) // nil leaves them alone
}{
	{"spec", "the schema is none", func(_ *testing.T, s *changed) {
		s.spec = func(spec *connector.Spec) { spec.ConfigSchema = json.RawMessage(`{"type":7}`) }
	}, nil},
	{"stable-catalog", "each call lists the streams in another order", func(_ *testing.T, s *changed) {
		var calls atomic.Int64
		s.catalog = func(c *connector.Catalog) {
			if calls.Add(1)%2 == 0 {
				slices.Reverse(c.Streams)
			}
		}
	}, nil},
	{"unique-streams", "a name comes twice", func(_ *testing.T, s *changed) {
		s.catalog = func(c *connector.Catalog) { c.Streams = append(c.Streams, c.Streams[0]) }
	}, nil},
	{"sync-modes", "a mode that the Spec does not have", each(func(s *connector.Stream) { s.SyncModes = []connector.SyncMode{9} }), nil},
	{"primary-key", "the field is in no record", each(func(s *connector.Stream) {
		s.PrimaryKey = []string{"no_such_field"}
		s.JSONSchema = json.RawMessage(`{"type":"object","properties":{"no_such_field":{},"customer":{}}}`)
		s.Relations = nil
	}), nil},
	{"primary-key", "the schema does not name it", each(func(s *connector.Stream) {
		s.JSONSchema = json.RawMessage(`{"type":"object","properties":{"customer":{}}}`)
	}), nil},
	{"schema", "it requires what records lack", each(func(s *connector.Stream) {
		s.JSONSchema = json.RawMessage(`{"type":"object","required":["no_such_field"],"properties":{"id":{},"sku":{},"currency":{},"customer":{}}}`)
	}), nil},
	{"schema", "it is closed", each(func(s *connector.Stream) {
		s.JSONSchema = json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{"id":{}}}`)
	}), nil},
	{"relations", "there is no such stream", each(func(s *connector.Stream) {
		s.Relations = []connector.Relation{{Field: "id", Stream: "nowhere", ForeignField: "id"}}
	}), nil},
	{"parent", "there is no such stream", each(func(s *connector.Stream) {
		if s.Parent != "" {
			s.Parent = "nowhere"
		}
	}), nil},
	{"parent-field", "it is missing", each(func(s *connector.Stream) { s.ParentField = "" }), nil},
	{"parent-field", "it holds no key of the parent", each(func(s *connector.Stream) {
		if s.Parent != "" {
			s.ParentField = "id"
		}
	}), nil},
	{"emits-deletes", "the catalog denies it", each(func(s *connector.Stream) { s.EmitsDeletes = false }), nil},

	{"one-sender", "a log entry is sent beside records", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if _, ok := m.(*connector.RecordBatch); !ok {
			return next.Send(ctx, m)
		}
		background, _ := emit.NewGroup(ctx)
		background.Go(func() error {
			return next.Send(ctx, &connector.LogEntry{Level: connector.Info, Message: "Here are some records."})
		})
		background.Go(func() error { return next.Send(ctx, m) })
		return background.Wait()
	}), nil},
	{"one-sender", "a log entry is sent when the Read is over", func(_ *testing.T, s *changed) {
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			summary, err := inner.Read(ctx, req, sink)
			time.AfterFunc(time.Millisecond, func() {
				defer func() { _ = recover() }() // the sinks of some checks panic
				_ = sink.Send(ctx, &connector.LogEntry{Level: connector.Info, Message: "One more thing."})
			})
			return summary, err
		}
	}, nil},
	{"selected-streams", "records of another stream come first", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if batch, ok := m.(*connector.RecordBatch); ok && batch.Stream == "orders" {
			foreign := *batch
			foreign.Stream = "foreign"
			if err := next.Send(ctx, &foreign); err != nil {
				return err
			}
		}
		return next.Send(ctx, m)
	}), nil},
	{"status-order", "STARTED is missing", statuses(func(m *connector.StreamStatus) bool { return m.Status != connector.Started }), nil},
	{"status-order", "the end is missing", statuses(func(m *connector.StreamStatus) bool { return m.Status != connector.Complete }), nil},
	{"record-data", "it is not UTF-8", records(func(_ connector.ReadRequest, b *connector.RecordBatch) {
		for i := range b.Records {
			b.Records[i].Data = strings.Replace(b.Records[i].Data, `"name":"A`, "\"name\":\"\xff", 1)
		}
	}), nil},
	{"records-counted", "one too many", states(func(m *connector.StateCheckpoint) { m.Records++ }), nil},
	{"complete", "the last state is missing", withoutLastState, nil},
	{"order", "each version is older than the one before", records(func(_ connector.ReadRequest, b *connector.RecordBatch) {
		for i := range b.Records {
			if r := &b.Records[i]; !r.AsOf.IsZero() {
				r.AsOf = time.Unix(0, 0).Add(-r.AsOf.Sub(time.Unix(0, 0)))
			}
		}
	}), nil},
	{"progress", "it counts what was not sent", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if beat, ok := m.(*connector.Progress); ok {
			beat.Records += 1000
		}
		return next.Send(ctx, m)
	}), nil},
	{"heartbeat", "there is none", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if _, ok := m.(*connector.Progress); ok {
			return nil
		}
		return next.Send(ctx, m)
	}), nil},
	{"secrets", "the log has the token", logs("opened with " + token), nil},
	{"secrets", "the log has the token in hexadecimal", logs(hex.EncodeToString([]byte(token))), nil},
	{"secrets", "the source's own log has the token", func(*testing.T, *changed) {}, func(_ *testing.T, o *connectortest.Options) {
		o.Logs = func() string { return "level=INFO msg=opened token=" + token }
	}},
	{"secrets", "an error has the token", func(_ *testing.T, s *changed) {
		s.failure = func(f *connector.Failure) { f.Internal = "token=" + token }
	}, nil},

	{"invariant", "states cover a line that was not sent", func(_ *testing.T, s *changed) {
		states(func(m *connector.StateCheckpoint) { m.State = ahead(m.State) })(nil, s)
		s.summary = func(_ connector.ReadRequest, m *connector.Summary) {
			for i := range m.Streams {
				m.Streams[i].State = ahead(m.Streams[i].State)
			}
		}
	}, nil},
	{"repeatable", "a resumed Read sends old versions last", records(func(req connector.ReadRequest, b *connector.RecordBatch) {
		if b.Stream == "prices" && resumes(req, b.Stream) {
			slices.Reverse(b.Records)
			for i := range b.Records {
				b.Records[i].AsOf = time.Time{}
			}
		}
	}), nil},
	{"generation", "it is always 1", generations(func(connector.ReadRequest, string, int64) int64 { return 1 }), nil},
	{"generation", "it grows when a Read is resumed", generations(func(req connector.ReadRequest, stream string, was int64) int64 {
		if resumes(req, stream) {
			return was + 1_000_000_000
		}
		return was
	}), nil},
	{"full-refresh", "a row is missing", without(func(req connector.ReadRequest, _ string, r connector.Record) bool {
		return req.Streams[0].SyncMode == connector.FullRefresh && r.Key == `"c1"`
	}), nil},
	{"incremental", "a new row is missing", without(func(req connector.ReadRequest, stream string, r connector.Record) bool {
		return req.Streams[0].SyncMode == connector.Incremental && done(req, stream) && strings.HasPrefix(r.Key, `"n`)
	}), nil},
	{"incremental", "everything is re-read", requests(func(req *connector.ReadRequest) {
		trusted := string(req.Config.JSON()) != "{}"
		all := !slices.ContainsFunc(req.Streams, func(s connector.ConfiguredStream) bool { return !done(*req, s.Stream) })
		if req.Streams[0].SyncMode == connector.Incremental && all && trusted {
			req.States = nil
		}
	}), nil},

	{"has-more", "never", func(_ *testing.T, s *changed) {
		s.summary = func(_ connector.ReadRequest, m *connector.Summary) { m.HasMore = false }
	}, nil},
	{"has-more", "always", func(_ *testing.T, s *changed) {
		s.summary = func(_ connector.ReadRequest, m *connector.Summary) { m.HasMore = true }
	}, nil},
	{"record-limit", "it is ignored", requests(func(req *connector.ReadRequest) { req.RecordLimit = 0 }), nil},
	{"soft-deadline", "it is ignored", requests(func(req *connector.ReadRequest) { req.SoftDeadline = 0 }), nil},
	{"drain", "it is ignored", requests(func(req *connector.ReadRequest) { req.Drain = nil }), nil},
	{"field-selection", "it is ignored", requests(func(req *connector.ReadRequest) {
		req.Streams = slices.Clone(req.Streams)
		for i := range req.Streams {
			req.Streams[i].Fields = slices.DeleteFunc(slices.Clone(req.Streams[i].Fields), func(f string) bool { return f != noField })
		}
	}), nil},
	{"accepted-operations", "they are ignored", requests(func(req *connector.ReadRequest) { req.AcceptedOperations = nil }), nil},
	{"withheld", "it is not counted", func(_ *testing.T, s *changed) {
		s.summary = func(_ connector.ReadRequest, m *connector.Summary) {
			for i := range m.Streams {
				m.Streams[i].Withheld = 0
			}
		}
	}, nil},
	{"summary", "an upsert too many", func(_ *testing.T, s *changed) {
		s.summary = func(_ connector.ReadRequest, m *connector.Summary) { m.Streams[0].Upserts++ }
	}, nil},
	{"skipped-generation", "it is that of the clock", skippedGeneration, nil},

	{"sink-error", "a failure of the sink is ignored", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		err := next.Send(ctx, m)
		if f, ok := errors.AsType[*connector.Failure](err); ok && f.Class != connector.SourceData {
			return nil
		}
		return err
	}), nil},
	{"source-data", "it ends the Read", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		err := next.Send(ctx, m)
		if f, ok := errors.AsType[*connector.Failure](err); ok && f.Class == connector.SourceData {
			return &connector.Failure{Class: connector.Transient, Message: f.Message}
		}
		return err
	}), nil},
	{"cancellation", "the Read has a context of its own", func(_ *testing.T, s *changed) {
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			return inner.Read(context.WithoutCancel(ctx), req, sink)
		}
	}, impatient},
	{"cancellation", "it is reported as a failure", func(_ *testing.T, s *changed) {
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			summary, err := inner.Read(ctx, req, sink)
			if errors.Is(err, context.Canceled) {
				err = &connector.Failure{Class: connector.Transient, Message: "Something went wrong."}
			}
			return summary, err
		}
	}, nil},
	{"no-leak", "each Read leaves a goroutine", func(t *testing.T, s *changed) {
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			go func() { <-over }()
			return inner.Read(ctx, req, sink)
		}
	}, impatient},
	{"sink-panic", "it is swallowed", messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		defer func() { _ = recover() }()
		return next.Send(ctx, m)
	}), nil},
	{"worker-panic", "the stack is in the message", func(*testing.T, *changed) {}, func(_ *testing.T, o *connectortest.Options) {
		panicking := o.Panicking
		o.Panicking = func() connector.Source {
			return &changed{Source: panicking(), read: func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
				summary, err := inner.Read(ctx, req, sink)
				if f, ok := errors.AsType[*connector.Failure](err); ok {
					err = &connector.Failure{Class: f.Class, Message: f.Internal, Internal: f.Internal}
				}
				return summary, err
			}}
		}
	}},
	{"worker-panic", "the Read succeeds", func(*testing.T, *changed) {}, func(_ *testing.T, o *connectortest.Options) {
		o.Panicking = o.New
	}},
	{"concurrent", "one Read at a time", func(_ *testing.T, s *changed) {
		var busy sync.Mutex
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			if !busy.TryLock() {
				return connector.Summary{}, &connector.Failure{Class: connector.RateLimit, Message: "One at a time."}
			}
			defer busy.Unlock()
			time.Sleep(3 * time.Millisecond)
			return inner.Read(ctx, req, sink)
		}
	}, nil},

	{"errors", "a wrong request is an error of some type", func(_ *testing.T, s *changed) {
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			summary, err := inner.Read(ctx, req, sink)
			if f, ok := errors.AsType[*connector.Failure](err); ok && len(f.Violations) > 0 {
				err = errors.New(f.Message)
			}
			return summary, err
		}
	}, nil},
	{"check", "a bad configuration is an error", func(_ *testing.T, s *changed) {
		s.check = func(r connector.CheckResult) error {
			if len(r.Problems) > 0 {
				return r.Problems[0]
			}
			return nil
		}
	}, nil},
	{"bad-config", "the field is not named", violations("config.", "config"), nil},
	{"bad-stream", "the field is not named", violations("streams[", "streams"), nil},
	{"bad-state", "the field is not named", violations("states[", "states"), nil},
	{"bad-state", "nonsense means from the beginning", requests(func(req *connector.ReadRequest) {
		req.States = slices.DeleteFunc(slices.Clone(req.States), func(s connector.StreamState) bool { return parse(s.State).Version != 1 })
	}), nil},
}

// impatient waits no longer than a test should for what never comes.
func impatient(_ *testing.T, o *connectortest.Options) { o.Patience = 300 * time.Millisecond }

// TestBrokenSources runs the suite against each broken source: it names the promise that was broken, and no other.
func TestBrokenSources(t *testing.T) {
	for _, b := range brokenSources {
		t.Run(b.promise+": "+b.how, func(t *testing.T) {
			w := newWorld()
			o := w.options()
			if testing.Short() {
				o.Stops = 6 // of some 30 messages
			}
			if b.options != nil {
				b.options(t, &o)
			}
			open := o.New
			o.New = func() connector.Source {
				s := &changed{Source: open()}
				b.breaks(t, s)
				return s
			}
			breaches := connectortest.Verify(t.Context(), o.New(), o)
			if len(breaches) == 0 {
				t.Error("the suite finds nothing")
			}
			for _, breach := range breaches {
				if breach.Promise.ID != b.promise {
					t.Errorf("in %q, the suite finds also %s", breach.Check, breach)
				}
			}
		})
	}
}

// TestEveryPromiseCanBreak holds that there is a broken source for each promise.
func TestEveryPromiseCanBreak(t *testing.T) {
	for _, p := range connectortest.Promises() {
		broken := false
		for _, b := range brokenSources {
			broken = broken || b.promise == p.ID
		}
		if !broken {
			t.Errorf("no broken source breaks %q", p.ID)
		}
	}
}

// TestSoundSource runs the suite against the source that the broken ones are made of.
func TestSoundSource(t *testing.T) {
	w := newWorld()
	o := w.options()
	connectortest.Test(t, o.New(), o)
}

// TestPromisesAreQuoted holds that each promise stands in the contract, word by word.
func TestPromisesAreQuoted(t *testing.T) {
	var contract strings.Builder
	for _, pattern := range []string{"../../proto/connector/v1/*.proto", "../*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			contract.WriteString(strings.ReplaceAll(string(text), "//", " "))
		}
	}
	plain := func(text string) string {
		return strings.Join(strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(text)), " ")
	}
	words := plain(contract.String())
	for _, p := range connectortest.Promises() {
		if !strings.Contains(words, plain(p.Sentence)) {
			t.Errorf("%s is said to be the comment of %s, and the contract does not have it: %q", p.ID, p.Where, p.Sentence)
		}
	}
}

// TestEveryPromiseIsDocumented holds that the page about adding a source explains each promise.
func TestEveryPromiseIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/adding-a-source.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range connectortest.Promises() {
		if !strings.Contains(string(page), "`"+p.ID+"`") {
			t.Errorf("docs/adding-a-source.md does not mention %q", p.ID)
		}
	}
}
