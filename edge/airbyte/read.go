package airbyte

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Read reads the streams of a configured catalog and prints their records. state is the content of the file with the states to
// resume from; empty if there is none. When ctx ends, Read ends at the next checkpoint, or a few seconds later without one.
//
// A stream that fails doesn't stop the others.
func (c *Connector) Read(ctx context.Context, config, catalog, state json.RawMessage) error {
	out := c.output()
	r := &reading{connector: c, dialect: dialect{c.Dialect}, out: out, byName: map[string]*stream{}, bySource: map[string]*stream{}}
	err := r.prepare(config, catalog, state)
	if err == nil {
		err = r.read(ctx)
	}
	if err != nil {
		if r.broken != nil {
			return r.broken
		}
		if written := r.abandon(ctx, err); written != nil {
			return written
		}
		return reported(err, nil)
	}
	for _, s := range r.streams {
		if s.failed {
			return ErrReported
		}
	}
	return nil
}

// reading is one Read.
type reading struct {
	connector *Connector
	dialect   dialect
	out       *output
	config    connector.Config
	account   string
	streams   []*stream // in the order of the catalog
	byName    map[string]*stream
	bySource  map[string]*stream
	broken    error // the error of the output

	line []byte // a buffer for the lines of a batch
	sent sent
}

// stream is a stream of a Read.
type stream struct {
	Stream
	mode   connector.SyncMode
	fields []string
	given  json.RawMessage // its state, as received
	from   resumption
	state  json.RawMessage // the state of the source to resume from; nil if none

	status     string // the last status that was sent; empty before the first
	failed     bool
	retains    bool // the destination keeps rows that were read before its state was cleared
	first      bool // it is read from the beginning, and the destination has no rows
	newest     int64
	other      json.RawMessage // the other connector's members of the next state
	until      int64           // the position in it
	sinceState int64
	last       json.RawMessage // the last state that was sent
	lastSource json.RawMessage // the source's state in it
	repeated   int64
	vanished   vanished
	bytes      int64 // of the lines of its records
	estimated  int64 // the last estimate of its rows
}

// prepare parses what the platform passed. Its error concerns all streams.
func (r *reading) prepare(config, catalog, state json.RawMessage) error {
	var err error
	if r.config, r.account, err = r.connector.config(r.out, config); err != nil {
		return err
	}
	var configured configuredCatalog
	if err := json.Unmarshal(catalog, &configured); err != nil {
		return connector.Invalid(connector.Violation{Field: "catalog", Description: "is not a configured catalog: " + err.Error()})
	}
	if len(configured.Streams) == 0 {
		return connector.Invalid(connector.Violation{Field: "catalog.streams", Description: "is empty: select at least one stream"})
	}
	states, err := parseStates(state)
	if err != nil {
		return connector.Invalid(connector.Violation{Field: "state", Description: err.Error()})
	}
	for i := range configured.Streams {
		if err := r.add(&configured.Streams[i], states); err != nil {
			return err
		}
	}
	return nil
}

// add adds a stream of the catalog. A stream that can't be read fails, and the others continue. The error is the output's.
func (r *reading) add(configured *configuredStream, states map[string]json.RawMessage) error {
	name := configured.Stream.Name
	switch {
	case name == "":
		return connector.Invalid(connector.Violation{Field: "catalog.streams", Description: "has a stream without a name"})
	case r.byName[name] != nil:
		return connector.Invalid(connector.Violation{Field: "catalog.streams", Description: fmt.Sprintf("names the stream %.100q twice", name)})
	}
	s := &stream{Stream: Stream{Name: name}, given: states[name]}
	r.streams = append(r.streams, s)
	r.byName[name] = s
	at := slices.IndexFunc(r.connector.Streams, func(known Stream) bool { return known.Name == name })
	if at < 0 {
		return r.fail(s, invalid("The stream %.100q doesn't exist: refresh the connection's schema, and deselect it.", name))
	}
	s.Stream = r.connector.Streams[at]
	switch configured.SyncMode {
	case fullRefresh, "":
		s.mode = connector.FullRefresh
	case incremental:
		s.mode = connector.Incremental
	default:
		return r.fail(s, invalid("The sync mode of the stream %s must be full_refresh or incremental, got %.40q.", name, configured.SyncMode))
	}
	if columns := configured.columns(); columns != nil {
		s.fields = r.dialect.Fields(s.Source, columns)
	}
	s.retains = configured.MinimumGeneration < configured.Generation
	if problem := r.resume(s); problem != nil {
		return r.fail(s, problem)
	}
	r.bySource[s.Source] = s
	return nil
}

// resume decides where reading of a stream starts.
func (r *reading) resume(s *stream) *connector.Failure {
	from, err := r.dialect.resume(s.Source, s.given)
	if err != nil {
		return invalid("The state of the stream %s %v. Clear the stream's data to read it from the beginning.", s.Name, err)
	}
	s.from, s.other, s.until, s.newest = from, from.other, seconds(from.until), from.own.Newest
	switch {
	case from.isOwn:
		s.state = from.own.State
	case from.until.IsZero() || s.mode != connector.Incremental:
	default:
		if s.state, err = r.dialect.Resume(r.config, s.Source, s.fields, from.until); err != nil {
			return invalid("The state of the stream %s %v. Clear the stream's data to read it from the beginning.", s.Name, err)
		}
	}
	s.first = !from.isOwn && from.other == nil && !s.retains
	return nil
}

func invalid(format string, args ...any) *connector.Failure {
	return &connector.Failure{Class: connector.ConfigError, Message: fmt.Sprintf(format, args...)}
}

// request returns the request for the streams that haven't failed.
func (r *reading) request(ctx context.Context) (req connector.ReadRequest, asked []*stream) {
	req = connector.ReadRequest{Config: r.config, Drain: ctx.Done(), KeepsGenerations: true}
	for _, s := range r.streams {
		if s.failed {
			continue
		}
		asked = append(asked, s)
		req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: s.Source, SyncMode: s.mode, Fields: s.fields})
	}
	return req, asked
}

// read reads all streams. Those that the source can't accept fail, and the others are requested again.
func (r *reading) read(ctx context.Context) error {
	for {
		req, asked := r.request(ctx)
		if len(asked) == 0 {
			return nil
		}
		var resumed []*stream
		for _, s := range asked {
			if s.state != nil {
				resumed = append(resumed, s)
				req.States = append(req.States, connector.StreamState{Stream: s.Source, Account: r.account, State: s.state})
			}
		}
		began := r.sent.messages
		_, err := r.connector.Source.Read(context.WithoutCancel(ctx), req, r)
		failure, ok := connector.FailureIn(err)
		if !ok || r.sent.messages != began { // otherwise it was the request that was refused
			return err
		}
		refused, err := r.refuse(failure, asked, resumed)
		if err != nil {
			return err
		}
		if !refused {
			return failure
		}
	}
}

// inRequest matches the path of a field that belongs to one stream or state of a request.
var inRequest = regexp.MustCompile(`^(streams|states)\[(\d+)\]`)

// refuse fails the streams that a failure of the request names. It reports whether there are any.
func (r *reading) refuse(failure *connector.Failure, asked, resumed []*stream) (refused bool, err error) {
	if s := r.bySource[failure.Stream]; s != nil && !s.failed && len(failure.Violations) == 0 {
		return true, r.fail(s, failure)
	}
	for _, v := range failure.Violations {
		m := inRequest.FindStringSubmatch(v.Field)
		if m == nil {
			continue
		}
		of := asked
		if m[1] == "states" {
			of = resumed
		}
		at, _ := strconv.Atoi(m[2])
		if at >= len(of) || of[at].failed {
			continue
		}
		refused = true
		if err := r.fail(of[at], invalid("The stream %s can't be read: %s", of[at].Name, v.Description)); err != nil {
			return true, err
		}
	}
	return refused, nil
}

// fail ends a stream with a failure. The error is the output's.
func (r *reading) fail(s *stream, failure *connector.Failure) error {
	s.failed = true
	if s.status == "" {
		if err := r.setStatus(s, started); err != nil {
			return err
		}
	}
	if err := r.note(r.out.failure(s.Name, failure)); err != nil {
		return err
	}
	return r.setStatus(s, incomplete)
}

// abandon ends the streams that have not ended because the whole Read failed with err. The error is the output's.
func (r *reading) abandon(ctx context.Context, err error) error {
	failure := failureOf(ctx, err)
	if err := r.note(r.out.failure("", failure)); err != nil {
		return err
	}
	for _, s := range r.streams {
		if s.status == complete || s.status == incomplete {
			continue
		}
		s.failed = true
		if s.status == "" {
			if err := r.setStatus(s, started); err != nil {
				return err
			}
		}
		if err := r.setStatus(s, incomplete); err != nil {
			return err
		}
	}
	return nil
}
