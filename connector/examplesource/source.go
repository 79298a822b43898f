// Package examplesource is a small connector.Source that keeps every promise of the contract. It reads a folder of JSON Lines
// files; docs/adding-a-source.md walks through it.
//
// The folder has a catalog.json, which is a list of connector.Stream, and a file NAME.jsonl for each stream, to which
// lines are only ever appended. A line is a new version of the row with its primary key. A line with "deleted": true
// removes that row or, if it has only the parent field, all rows of that parent.
package examplesource

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io/fs"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
)

// Source reads a folder. What it may read is the operator's choice; a caller can only show a token.
type Source struct {
	Files     fs.FS
	Token     string        // what a configuration needs to read streams whose Permission is "token"
	PageSize  int           // lines per page; zero means 100
	Heartbeat time.Duration // zero means the default of package emit
}

// Spec describes the configuration.
func (s *Source) Spec() connector.Spec {
	return connector.Spec{
		Source: "example",
		ConfigSchema: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
			"token": {"type": "string", "writeOnly": true, "description": "Opens the restricted streams. Optional."}}}`),
		SyncModes:    []connector.SyncMode{connector.FullRefresh, connector.Incremental},
		Capabilities: []connector.Capability{connector.RecordLimit, connector.SoftDeadline, connector.Checkpoints},
	}
}

// Check parses the configuration and the catalog. A problem with them is a result, not an error.
func (s *Source) Check(_ context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	if _, _, err := s.open(req.Config); err != nil {
		return connector.CheckResult{Problems: []*connector.Failure{connector.AsFailure(err)}}, nil
	}
	return connector.CheckResult{}, nil
}

// Discover returns catalog.json, with what is the same for all streams.
func (s *Source) Discover(_ context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	streams, _, err := s.open(req.Config)
	return connector.Catalog{Streams: streams}, err
}

// Read reads each stream in a goroutine of its own. A bad request fails before anything is sent.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	streams, trusted, err := s.open(req.Config)
	if err != nil {
		return connector.Summary{}, err
	}
	matched, err := emit.Match(req, streams, "", parseState)
	if err != nil {
		return connector.Summary{}, err
	}
	e := emit.New(req, sink, emit.Options{Heartbeat: s.Heartbeat})
	return e.Run(ctx, func(ctx context.Context) error {
		group, ctx := emit.NewGroup(ctx) // a panic in it ends this Read alone
		for _, a := range matched {
			l := s.log(e, a, a.Permission == "token" && !trusted)
			group.Go(func() error { return l.read(ctx) })
		}
		return group.Wait()
	})
}

// open parses a configuration and the catalog, and reports whether the configuration has the token. No error repeats a
// value of the configuration: it could be the token.
func (s *Source) open(config connector.Config) (streams []connector.Stream, trusted bool, err error) {
	var fields map[string]json.RawMessage
	var token string
	if text := config.JSON(); text != nil && json.Unmarshal(text, &fields) != nil {
		return nil, false, connector.Invalid(connector.Violation{Field: "config", Description: "must be a JSON object"})
	}
	for name, value := range fields {
		if name != "token" || json.Unmarshal(value, &token) != nil {
			return nil, false, connector.Invalid(connector.Violation{Field: "config." + name, Description: "is not a field, or not a string"})
		}
	}
	if token != "" && token != s.Token {
		return nil, false, &connector.Failure{Class: connector.AuthError, Message: "The token is wrong: replace it, or omit it."}
	}
	text, err := fs.ReadFile(s.Files, "catalog.json")
	if err == nil {
		err = json.Unmarshal(text, &streams)
	}
	if err != nil {
		return nil, false, &connector.Failure{Class: connector.System, Message: "The folder has no valid catalog.json.", Internal: err.Error()}
	}
	for i := range streams {
		streams[i].SyncModes, streams[i].Freshness, streams[i].EmitsDeletes = s.Spec().SyncModes, connector.ByEvents, true
	}
	return streams, token != "", nil
}

// state is how far a log was read.
type state struct {
	Version    int   `json:"version"`
	Generation int64 `json:"generation"` // when reading the log last started from the beginning, in microseconds
	Lines      int   `json:"lines"`
	Done       bool  `json:"done"` // the end of the file, as it was then, was reached
}

func parseState(text json.RawMessage) (s state, ok bool) {
	err := json.Unmarshal(text, &s)
	return s, err == nil && s.Version == 1 && s.Generation > 0 && s.Lines >= 0
}

// log is one stream in a Read. Its state moves in the Advance of a commit, and nowhere else.
type log struct {
	emit.Matched[state]
	source  *Source
	refused bool // the stream needs the token
	emitter *emit.Emitter
	out     *emit.Stream
}

// log registers a stream and decides where it begins: at the beginning in a new generation, unless a state says otherwise.
func (s *Source) log(e *emit.Emitter, a emit.Matched[state], refused bool) *log {
	l := &log{Matched: a, source: s, emitter: e, refused: refused}
	l.out = e.Stream(emit.StreamOptions{
		Name: l.Name, Given: l.Given, GivenGeneration: l.State.Generation,
		Checkpoint: func() (emit.Checkpoint, error) {
			text, err := json.Marshal(l.State)
			return emit.Checkpoint{State: text}, err
		},
	})
	if l.Given == nil || l.State.Done && l.SyncMode == connector.FullRefresh {
		l.State = state{Version: 1, Generation: max(l.State.Generation+1, time.Now().UnixMicro())}
	}
	l.State.Done = false
	return l
}

// read sends pages until the end of the file, or until the Read is to stop.
func (l *log) read(ctx context.Context) error {
	if l.refused {
		return l.out.Skip(ctx, &connector.Failure{Class: connector.PermissionError, Message: "This stream needs a token in the configuration."})
	}
	if err := l.out.Begin(ctx, l.State.Generation); err != nil {
		return err
	}
	text, err := fs.ReadFile(l.source.Files, l.Name+".jsonl")
	if err != nil {
		return l.out.Fail(ctx, &connector.Failure{Class: connector.Transient, Message: "The file can't be read.", Internal: err.Error(), Retryable: true})
	}
	lines := slices.Collect(bytes.Lines(text))
	for !l.State.Done {
		end := min(l.State.Lines+cmp.Or(l.source.PageSize, 100), len(lines))
		var records []connector.Record
		for _, line := range lines[min(l.State.Lines, end):end] {
			record, err := l.record(line)
			if err != nil {
				return l.out.Fail(ctx, &connector.Failure{Class: connector.SourceData, Message: "A line is not valid.", Internal: err.Error()})
			}
			records = append(records, record)
		}
		err := l.emitter.Commit(ctx, emit.Commit{
			Batches: []emit.Batch{{Stream: l.out, Records: records}},
			Streams: []*emit.Stream{l.out},
			Advance: func() { l.State.Lines, l.State.Done = end, end == len(lines) },
		})
		if err != nil {
			return err
		}
		if l.emitter.Stopped() && !l.State.Done { // after one page at least, so that every Read gets further
			return l.out.Stop(ctx)
		}
	}
	return l.out.Complete(ctx)
}

// record makes a record of a line.
func (l *log) record(line []byte) (r connector.Record, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return r, err
	}
	r.Operation, r.Key = connector.Upsert, string(fields[l.PrimaryKey[0]])
	if fields["deleted"] != nil {
		r.Operation = connector.Delete
		if r.Key == "" {
			r.Operation = connector.DeleteMatching
		}
		delete(fields, "deleted")
	}
	_ = json.Unmarshal(fields[l.CursorField], &r.AsOf) // a log without times has none
	data, err := json.Marshal(fields)
	r.Data = string(data)
	return r, err
}
