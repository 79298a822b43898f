// Package examplesource is a small connector.Source that keeps every promise of the contract: a folder of JSON Lines files.
// docs/adding-a-source.md walks through it.
//
// The folder has a catalog.json, which is a list of connector.Stream, and a file NAME.jsonl for each stream, to which
// lines are only ever appended: a line is a new version of the row with its primary key. A line with "deleted": true
// removes that row or, if it has only the parent field, all rows of that parent.
package examplesource

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	Heartbeat time.Duration // zero means that of package emit
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

// Check parses the configuration and the catalog. What is wrong with them is a result, not an error.
func (s *Source) Check(_ context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	if _, err := s.open(req.Config); err != nil {
		return connector.CheckResult{Problems: []*connector.Failure{connector.AsFailure(err)}}, nil
	}
	return connector.CheckResult{}, nil
}

// Discover returns catalog.json, with what is the same for all streams.
func (s *Source) Discover(_ context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	f, err := s.open(req.Config)
	return connector.Catalog{Streams: f.streams}, err
}

// Read reads each stream in a goroutine of its own. The error of a request names every wrong field, before anything is sent.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	f, err := s.open(req.Config)
	if err != nil {
		return connector.Summary{}, err
	}
	e := emit.New(req, sink, emit.Options{Heartbeat: s.Heartbeat})
	logs, err := f.plan(req, e)
	if err != nil {
		return connector.Summary{}, err
	}
	return e.Run(ctx, func(ctx context.Context) error {
		group, ctx := emit.NewGroup(ctx) // a panic in it ends this Read alone
		for _, l := range logs {
			group.Go(func() error { return l.read(ctx) })
		}
		return group.Wait()
	})
}

// folder is the source as one configuration sees it.
type folder struct {
	*Source
	streams []connector.Stream
	trusted bool // it has the token
}

// open parses a configuration and the catalog. No error repeats a value of the configuration: it could be the token.
func (s *Source) open(config connector.Config) (folder, error) {
	var members map[string]json.RawMessage
	var token string
	if text := config.JSON(); text != nil && json.Unmarshal(text, &members) != nil {
		return folder{}, connector.Invalid(connector.Violation{Field: "config", Description: "must be a JSON object"})
	}
	for name, value := range members {
		if name != "token" || json.Unmarshal(value, &token) != nil {
			return folder{}, connector.Invalid(connector.Violation{Field: "config." + name, Description: "is not a field, or not a string"})
		}
	}
	if token != "" && token != s.Token {
		return folder{}, &connector.Failure{Class: connector.AuthError, Message: "The token is wrong: replace it, or leave it out."}
	}
	f := folder{Source: s, trusted: token != ""}
	text, err := fs.ReadFile(s.Files, "catalog.json")
	if err == nil {
		err = json.Unmarshal(text, &f.streams)
	}
	if err != nil {
		return folder{}, &connector.Failure{Class: connector.System, Message: "The folder has no valid catalog.json.", Internal: err.Error()}
	}
	for i := range f.streams {
		f.streams[i].SyncModes, f.streams[i].Freshness, f.streams[i].EmitsDeletes = s.Spec().SyncModes, connector.ByEvents, true
	}
	return f, nil
}

// plan turns a request into logs to read, from where their states say.
func (f folder) plan(req connector.ReadRequest, e *emit.Emitter) ([]*log, error) {
	var logs []*log
	var wrong []connector.Violation
	say := func(list string, i int, field, description string) {
		wrong = append(wrong, connector.Violation{Field: fmt.Sprintf("%s[%d].%s", list, i, field), Description: description})
	}
	find := func(name string) int { return slices.IndexFunc(logs, func(l *log) bool { return l.Name == name }) }
	for i, asked := range req.Streams {
		at := slices.IndexFunc(f.streams, func(s connector.Stream) bool { return s.Name == asked.Stream })
		if at < 0 || find(asked.Stream) >= 0 {
			say("streams", i, "stream", "must be a stream of the catalog, each named once")
			continue
		}
		logs = append(logs, &log{Stream: f.streams[at], folder: f, emitter: e, incremental: asked.SyncMode == connector.Incremental})
	}
	if len(req.Streams) == 0 {
		wrong = append(wrong, connector.Violation{Field: "streams", Description: "must name at least one stream"})
	}
	for i, given := range req.States {
		at := find(given.Stream)
		switch {
		case at < 0 || logs[at].given != nil:
			say("states", i, "stream", "must be a stream of this request, each with one state")
		case given.Account != "":
			say("states", i, "account", "must be empty: a folder has no accounts")
		case json.Unmarshal(given.State, &logs[at].state) != nil || !logs[at].state.valid():
			say("states", i, "content", "must be a state of this source: to read from the beginning, leave it out")
		default:
			logs[at].given = given.State
		}
	}
	if len(wrong) > 0 {
		return nil, connector.Invalid(wrong...)
	}
	for _, l := range logs {
		l.register()
	}
	return logs, nil
}

// state is how far a log was read.
type state struct {
	Version    int   `json:"version"`
	Generation int64 `json:"generation"` // when the log was last begun, in microseconds
	Lines      int   `json:"lines"`
	Done       bool  `json:"done"` // to the end that it had then
}

func (s state) valid() bool { return s.Version == 1 && s.Generation > 0 && s.Lines >= 0 }

// log is one stream in a Read. Its state moves in the Advance of a commit, and nowhere else.
type log struct {
	connector.Stream
	folder
	emitter     *emit.Emitter
	emit        *emit.Stream
	given       json.RawMessage
	incremental bool
	state       state
}

// register decides where the log begins: at its beginning in a new generation, unless a state says otherwise.
func (l *log) register() {
	l.emit = l.emitter.Stream(emit.StreamOptions{
		Name: l.Name, Given: l.given, GivenGeneration: l.state.Generation,
		Checkpoint: func() (emit.Checkpoint, error) {
			text, err := json.Marshal(l.state)
			return emit.Checkpoint{State: text}, err
		},
	})
	if l.given == nil || l.state.Done && !l.incremental {
		l.state = state{Version: 1, Generation: max(l.state.Generation+1, time.Now().UnixMicro())}
	}
	l.state.Done = false
}

// read sends pages until the end of the file, or until the Read is to stop.
func (l *log) read(ctx context.Context) error {
	if l.Permission == "token" && !l.trusted {
		return l.emit.Skip(ctx, &connector.Failure{Class: connector.PermissionError, Message: "This stream needs a token in the configuration."})
	}
	if err := l.emit.Begin(ctx, l.state.Generation); err != nil {
		return err
	}
	text, err := fs.ReadFile(l.Files, l.Name+".jsonl")
	if err != nil {
		return l.emit.Fail(ctx, &connector.Failure{Class: connector.Transient, Message: "The file can't be read.", Internal: err.Error(), Retryable: true})
	}
	lines := slices.Collect(bytes.Lines(text))
	lines = lines[min(l.state.Lines, len(lines)):]
	for first := true; first || !l.emitter.Stopped(); first = false { // one page at least, so that every Read gets further
		page := lines[:min(cmp.Or(l.PageSize, 100), len(lines))]
		lines = lines[len(page):]
		records := make([]connector.Record, len(page))
		for i, line := range page {
			if records[i], err = l.record(line); err != nil {
				return l.emit.Fail(ctx, &connector.Failure{Class: connector.SourceData, Message: "A line is not valid.", Internal: err.Error()})
			}
		}
		commit := emit.Commit{
			Batches: []emit.Batch{{Stream: l.emit, Records: records}},
			Streams: []*emit.Stream{l.emit},
			Advance: func() { l.state.Lines, l.state.Done = l.state.Lines+len(page), len(lines) == 0 },
		}
		if len(lines) == 0 {
			commit.States = emit.StatesNow // COMPLETE follows, and a state says so before it
		}
		if err := l.emitter.Commit(ctx, commit); err != nil {
			return err
		}
		if len(lines) == 0 {
			return l.emit.Complete(ctx)
		}
	}
	return l.emit.Leave(ctx)
}

// record makes a record of a line.
func (l *log) record(line []byte) (connector.Record, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return connector.Record{}, err
	}
	record := connector.Record{Operation: connector.Upsert, Key: string(fields[l.PrimaryKey[0]])}
	if fields["deleted"] != nil {
		record.Operation = connector.Delete
		if record.Key == "" {
			record.Operation = connector.DeleteMatching
		}
		delete(fields, "deleted")
	}
	_ = json.Unmarshal(fields[l.CursorField], &record.AsOf) // a log without times has none
	data, err := json.Marshal(fields)
	record.Data = string(data)
	return record, err
}
