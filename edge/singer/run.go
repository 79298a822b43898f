package singer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Tap keeps the state of a run in the form used by the tap that is being replaced.
type Tap interface {
	// Resume parses a state, the value of a STATE message; nil if there is none. fields maps the name of each selected stream to
	// the fields to request from the source. Resume returns the source's states, and warnings about streams that can't continue
	// where the tap stopped. An error about an invalid state is a *connector.Failure.
	Resume(state []byte, fields map[string][]string) ([]connector.StreamState, []string, error)
	// Set records a state of the source. stream is the source's name.
	Set(stream string, state json.RawMessage)
	// State returns the value of a STATE message that covers everything that was set.
	State() ([]byte, error)
}

// Stream is a stream as the tap's catalog shows it.
type Stream struct {
	Name        string // in messages and catalogs
	Source      string // the source's name
	Key         []string
	Replication []string // the columns that order the records
	Default     bool     // it is selected if a catalog doesn't say otherwise
	// Columns returns the JSON Schema of a record with all columns, and which of them are included by default.
	Columns func() (schema []byte, isDefault map[string]bool)
	// Shape returns how to read the stream. The keys of selected are the columns, and the paths in nested objects, that the catalog
	// mentions. fields are what to request from the source, and schema describes the rows.
	Shape func(selected map[string]bool) (fields []string, schema []byte, row RowFunc)
}

// RowFunc appends the row of a record, as a JSON object, to dst. misfit names a column whose value didn't fit its type and became
// null; it is empty if all fit. An error of class SourceData means that the record can't be sent.
type RowFunc = func(dst []byte, r *connector.Record) (row []byte, misfit string, err error)

// Call is one call of the tap. The content of a file is nil if the file isn't given.
type Call struct {
	Config         connector.Config // the source's
	Catalog, State []byte
	Discover       bool // print a catalog, rather than read
}

// Runner runs calls of a tap.
type Runner struct {
	Source  connector.Source
	Tap     Tap
	Streams []Stream
	Stdout  io.Writer
	Log     *Log
}

// Run runs a call. When ctx ends, a call that reads stops at its next checkpoint, and returns an error after the last STATE.
func (r *Runner) Run(ctx context.Context, call Call) error {
	if call.Discover {
		return r.discover(ctx, call.Config)
	}
	selected, err := r.parseCatalog(call.Catalog)
	if err != nil {
		return err
	}
	if len(selected) == 0 {
		r.Log.Warn("No stream is selected, so nothing is read. Select streams in the catalog, and pass it with --catalog.")
		return nil
	}
	return r.read(ctx, call, selected)
}

// errStopped is returned if the run was asked to stop.
var errStopped = errors.New("stopped early: resume from the last STATE")

// read reads the selected streams.
func (r *Runner) read(ctx context.Context, call Call, selected []*output) error {
	fields := map[string][]string{}
	for _, s := range selected {
		fields[s.Name] = s.fields
	}
	states, warnings, err := r.Tap.Resume(call.State, fields)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		r.Log.Warn(warning)
	}
	req := connector.ReadRequest{Config: call.Config, States: states, KeepsGenerations: true}
	out := newSink(r, selected)
	for _, s := range selected {
		req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: s.Source, SyncMode: connector.Incremental, Fields: s.fields})
		out.schema(s)
	}
	drain := make(chan struct{})
	req.Drain = drain
	defer context.AfterFunc(ctx, func() { close(drain) })()
	summary, err := r.Source.Read(context.WithoutCancel(ctx), req, out)
	if err != nil {
		return errors.Join(err, out.end())
	}
	if err := out.end(); err != nil {
		return err
	}
	return r.outcome(ctx, summary)
}

// outcome returns the error of a run that ended with a summary: that of the first stream that failed. Streams that the key may not
// read don't count as failed, unless the key may read none of them.
func (r *Runner) outcome(ctx context.Context, summary connector.Summary) error {
	read := func(s connector.StreamSummary) bool { return s.Status != connector.Skipped }
	nothing := !slices.ContainsFunc(summary.Streams, read)
	for _, s := range summary.Streams {
		if s.SetAsideTotal > 0 {
			r.Log.Warn(fmt.Sprintf("%d objects of %s could not be read. Later runs retry them.", s.SetAsideTotal, s.Stream))
		}
	}
	for _, s := range summary.Streams {
		switch {
		case s.Status == connector.Complete, s.Status == connector.Skipped && !nothing:
		case s.Failure != nil:
			return fmt.Errorf("stream %s: %w", s.Stream, s.Failure)
		case ctx.Err() == nil:
			return fmt.Errorf("stream %s ended before everything was read", s.Stream)
		}
	}
	if summary.HasMore {
		return errStopped
	}
	return nil
}
