package connectortest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// changed is a source that differs from another in what its functions do; nil ones change nothing.
type changed struct {
	connector.Source

	spec    func(*connector.Spec)
	check   func(connector.CheckResult) error
	catalog func(*connector.Catalog)
	request func(*connector.ReadRequest)
	sink    func(connector.ReadRequest, connector.Sink) connector.Sink
	summary func(connector.ReadRequest, *connector.Summary)
	failure func(*connector.Failure) // of a wrong request
	read    func(context.Context, connector.ReadRequest, connector.Sink, connector.Source) (connector.Summary, error)
}

func (c *changed) Spec() connector.Spec {
	spec := c.Source.Spec()
	if c.spec != nil {
		c.spec(&spec)
	}
	return spec
}

func (c *changed) Check(ctx context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	result, err := c.Source.Check(ctx, req)
	for i := range result.Problems {
		result.Problems[i] = connector.AsFailure(c.fail(result.Problems[i]))
	}
	if c.check != nil && err == nil {
		err = c.check(result)
	}
	return result, c.fail(err)
}

func (c *changed) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	catalog, err := c.Source.Discover(ctx, req)
	if c.catalog != nil {
		c.catalog(&catalog)
	}
	return catalog, c.fail(err)
}

func (c *changed) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	requested := req
	if c.request != nil && len(req.Streams) > 0 {
		c.request(&req)
	}
	if c.sink != nil {
		sink = c.sink(requested, sink)
	}
	read := func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
		return inner.Read(ctx, req, sink)
	}
	if c.read != nil {
		read = c.read
	}
	summary, err := read(ctx, req, sink, c.Source)
	if c.summary != nil && err == nil {
		c.summary(requested, &summary)
	}
	return summary, c.fail(err)
}

// fail returns a changed copy of a failure.
func (c *changed) fail(err error) error {
	f, ok := errors.AsType[*connector.Failure](err)
	if !ok || c.failure == nil || len(f.Violations) == 0 {
		return err
	}
	failure := *f
	c.failure(&failure)
	return &failure
}

// sinkFunc is a Sink.
type sinkFunc func(context.Context, connector.Message) error

func (f sinkFunc) Send(ctx context.Context, m connector.Message) error { return f(ctx, m) }

type breaks = func(*testing.T, *changed)

func requests(change func(*connector.ReadRequest)) breaks {
	return func(_ *testing.T, s *changed) { s.request = change }
}

func each(change func(*connector.Stream)) breaks {
	return func(_ *testing.T, s *changed) {
		s.catalog = func(c *connector.Catalog) {
			for i := range c.Streams {
				change(&c.Streams[i])
			}
		}
	}
}

func messages(send func(context.Context, connector.Message, connector.Sink) error) breaks {
	return func(_ *testing.T, s *changed) {
		s.sink = func(_ connector.ReadRequest, next connector.Sink) connector.Sink {
			return sinkFunc(func(ctx context.Context, m connector.Message) error { return send(ctx, m, next) })
		}
	}
}

func states(change func(*connector.StateCheckpoint)) breaks {
	return messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if checkpoint, ok := m.(*connector.StateCheckpoint); ok {
			copied := *checkpoint
			change(&copied)
			m = &copied
		}
		return next.Send(ctx, m)
	})
}

func statuses(keep func(*connector.StreamStatus) bool) breaks {
	return messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if status, ok := m.(*connector.StreamStatus); ok && !keep(status) {
			return nil
		}
		return next.Send(ctx, m)
	})
}

func records(change func(connector.ReadRequest, *connector.RecordBatch)) breaks {
	return func(_ *testing.T, s *changed) {
		s.sink = func(req connector.ReadRequest, next connector.Sink) connector.Sink {
			return sinkFunc(func(ctx context.Context, m connector.Message) error {
				if batch, ok := m.(*connector.RecordBatch); ok {
					copied := *batch
					copied.Records = slices.Clone(batch.Records)
					change(req, &copied)
					m = &copied
				}
				return next.Send(ctx, m)
			})
		}
	}
}

// logs sends an entry with each status.
func logs(text string) breaks {
	return messages(func(ctx context.Context, m connector.Message, next connector.Sink) error {
		if _, ok := m.(*connector.StreamStatus); ok {
			if err := next.Send(ctx, &connector.LogEntry{Level: connector.Info, Message: text}); err != nil {
				return err
			}
		}
		return next.Send(ctx, m)
	})
}

// violations names a wrong field of a path by less than its path.
func violations(of, name string) breaks {
	return func(_ *testing.T, s *changed) {
		s.failure = func(f *connector.Failure) {
			f.Violations = slices.Clone(f.Violations)
			for i, v := range f.Violations {
				if strings.HasPrefix(v.Field, of) {
					f.Violations[i].Field = name
				}
			}
		}
	}
}

// position is the example's state.
type position struct {
	Version    int   `json:"version"`
	Generation int64 `json:"generation"`
	Lines      int   `json:"lines"`
	Done       bool  `json:"done"`
}

func parse(state []byte) (p position) {
	if json.Unmarshal(state, &p) != nil {
		return position{}
	}
	return p
}

// ahead returns a state that covers a line more, if any is left.
func ahead(state json.RawMessage) json.RawMessage {
	p := parse(state)
	if p.Done || p.Lines == 0 {
		return state
	}
	p.Lines++
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return text
}

// done reports whether a request resumes from the end of a stream.
func done(req connector.ReadRequest, stream string) bool {
	return slices.ContainsFunc(req.States, func(s connector.StreamState) bool { return s.Stream == stream && parse(s.State).Done })
}

// resumes reports whether a request resumes in the middle of a full refresh.
func resumes(req connector.ReadRequest, stream string) bool {
	return slices.ContainsFunc(req.States, func(s connector.StreamState) bool {
		return s.Stream == stream && parse(s.State).Lines > 0 && !parse(s.State).Done
	})
}

// generations changes generations wherever they appear.
func generations(change func(req connector.ReadRequest, stream string, was int64) int64) breaks {
	return func(_ *testing.T, s *changed) {
		s.sink = func(req connector.ReadRequest, next connector.Sink) connector.Sink {
			return sinkFunc(func(ctx context.Context, m connector.Message) error {
				switch told := m.(type) {
				case *connector.RecordBatch:
					copied := *told
					copied.Generation = change(req, told.Stream, told.Generation)
					m = &copied
				case *connector.StreamStatus:
					copied := *told
					copied.Generation = change(req, told.Stream, told.Generation)
					m = &copied
				}
				return next.Send(ctx, m)
			})
		}
		s.summary = func(req connector.ReadRequest, m *connector.Summary) {
			for i, stream := range m.Streams {
				m.Streams[i].Generation = change(req, stream.Stream, stream.Generation)
			}
		}
	}
}

// skippedGeneration puts skipped streams into another generation each time.
func skippedGeneration(_ *testing.T, s *changed) {
	var mu sync.Mutex
	var last int64
	s.sink = func(_ connector.ReadRequest, next connector.Sink) connector.Sink {
		return sinkFunc(func(ctx context.Context, m connector.Message) error {
			if status, ok := m.(*connector.StreamStatus); ok && status.Failure != nil {
				mu.Lock()
				last = time.Now().UnixNano()
				copied := *status
				copied.Generation = last
				mu.Unlock()
				m = &copied
			}
			return next.Send(ctx, m)
		})
	}
	s.summary = func(_ connector.ReadRequest, m *connector.Summary) {
		mu.Lock()
		defer mu.Unlock()
		for i := range m.Streams {
			if m.Streams[i].Failure != nil {
				m.Streams[i].Generation = last
			}
		}
	}
}

// withoutLastState drops the state before COMPLETE.
func withoutLastState(_ *testing.T, s *changed) {
	s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
		held := map[string]*connector.StateCheckpoint{}
		last := map[string]json.RawMessage{}
		for _, given := range req.States {
			last[given.Stream] = given.State
		}
		summary, err := inner.Read(ctx, req, sinkFunc(func(ctx context.Context, m connector.Message) error {
			switch m := m.(type) {
			case *connector.StateCheckpoint:
				release := held[m.Stream]
				held[m.Stream] = m
				if release == nil {
					return nil
				}
				last[m.Stream] = release.State
				release.Records, m.Records = release.Records+m.Records, 0
				return sink.Send(ctx, release)
			case *connector.RecordBatch:
				if release := held[m.Stream]; release != nil {
					held[m.Stream], last[m.Stream] = nil, release.State
					if err := sink.Send(ctx, release); err != nil {
						return err
					}
				}
			case *connector.StreamStatus:
				release := held[m.Stream]
				held[m.Stream] = nil
				if release != nil && m.Status != connector.Complete {
					last[m.Stream] = release.State
					if err := sink.Send(ctx, release); err != nil {
						return err
					}
				}
			}
			return sink.Send(ctx, m)
		}))
		for i := range summary.Streams {
			summary.Streams[i].State = last[summary.Streams[i].Stream]
		}
		return summary, err
	}
}

// without drops records, and all counts of them.
func without(dropped func(connector.ReadRequest, string, connector.Record) bool) breaks {
	return func(_ *testing.T, s *changed) {
		s.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, inner connector.Source) (connector.Summary, error) {
			since, upserts, bytes := map[string]int64{}, map[string]int64{}, map[string]int64{}
			summary, err := inner.Read(ctx, req, sinkFunc(func(ctx context.Context, m connector.Message) error {
				switch m := m.(type) {
				case *connector.RecordBatch:
					copied := *m
					copied.Records = slices.DeleteFunc(slices.Clone(m.Records), func(r connector.Record) bool {
						if !dropped(req, m.Stream, r) {
							return false
						}
						since[m.Stream]++
						upserts[m.Stream]++
						bytes[m.Stream] += int64(len(r.Data))
						return true
					})
					return sink.Send(ctx, &copied)
				case *connector.StateCheckpoint:
					m.Records -= since[m.Stream]
					since[m.Stream] = 0
				case *connector.Progress:
					m.Records = 0
				}
				return sink.Send(ctx, m)
			}))
			for i := range summary.Streams {
				stream := &summary.Streams[i]
				stream.Upserts -= upserts[stream.Stream]
				stream.Bytes -= bytes[stream.Stream]
			}
			return summary, err
		}
	}
}

// selecting is a source that selects fields, which the example does not.
type selecting struct{ connector.Source }

func (s selecting) Spec() connector.Spec {
	spec := s.Source.Spec()
	spec.Capabilities = append(slices.Clone(spec.Capabilities), connector.FieldSelection)
	return spec
}

func (s selecting) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	catalog, err := s.Discover(ctx, connector.DiscoverRequest{Config: req.Config})
	if err != nil {
		return connector.Summary{}, err
	}
	selected := map[string][]string{}
	for _, requested := range req.Streams {
		if slices.Contains(requested.Fields, noField) {
			return connector.Summary{}, connector.Invalid(connector.Violation{Field: "streams[0].fields[0]", Description: "is not a field"})
		}
		i := slices.IndexFunc(catalog.Streams, func(s connector.Stream) bool { return s.Name == requested.Stream })
		if i >= 0 && len(requested.Fields) > 0 {
			always := append(slices.Clone(catalog.Streams[i].PrimaryKey), catalog.Streams[i].CursorField, catalog.Streams[i].ParentField)
			selected[requested.Stream] = append(always, requested.Fields...)
		}
	}
	saved := map[string]int64{}
	summary, err := s.Source.Read(ctx, req, sinkFunc(func(ctx context.Context, m connector.Message) error {
		if batch, ok := m.(*connector.RecordBatch); ok && selected[batch.Stream] != nil {
			copied := *batch
			copied.Records = slices.Clone(batch.Records)
			for i := range copied.Records {
				before := len(copied.Records[i].Data)
				copied.Records[i].Data = project(copied.Records[i].Data, selected[batch.Stream])
				saved[batch.Stream] += int64(before - len(copied.Records[i].Data))
			}
			m = &copied
		}
		return sink.Send(ctx, m)
	}))
	for i := range summary.Streams {
		summary.Streams[i].Bytes -= saved[summary.Streams[i].Stream]
	}
	return summary, err
}

// noField is what the suite asks for where it means a field that there is not.
const noField = "no_such_field_at_all"

func project(data string, fields []string) string {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data), &all); err != nil {
		return data
	}
	for name := range all {
		if !slices.Contains(fields, name) {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return data
	}
	return string(text)
}
