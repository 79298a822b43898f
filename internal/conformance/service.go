package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// service is a source whose Reads can be disturbed and are recorded.
type service struct {
	connector.Source

	mu     sync.Mutex
	acts   []act
	reads  []*reading
	silent bool // the Read that ends next has status OK, whatever its error
	killer context.CancelCauseFunc
}

// act does a Read in place of the source, which read calls.
type act func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, read readFunc) (connector.Summary, error)

type readFunc func(context.Context, connector.ReadRequest, connector.Sink) (connector.Summary, error)

// reading is the record of one Read.
type reading struct {
	began, ended time.Time
	given        map[string]string   // the states of the request, by stream
	sent         map[string][]string // the states sent, by stream, oldest first
	matching     int                 // DELETE_MATCHING records sent
}

// next makes the next Reads be done by acts, one each. A nil act doesn't disturb its Read.
func (s *service) next(acts ...act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = append(s.acts, acts...)
}

// begin is called before each run of the client. It drops the recorded Reads.
func (s *service) begin(killer context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads, s.killer = nil, killer
}

// kill kills the running client.
func (s *service) kill(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killer(why)
}

// recorded returns the Reads of the last run, and the number of acts that are left.
func (s *service) recorded() (reads []*reading, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, len(s.acts)
}

// Discover returns the streams of the scenarios only.
func (s *service) Discover(ctx context.Context, req connector.DiscoverRequest) (connector.Catalog, error) {
	catalog, err := s.Source.Discover(ctx, req)
	catalog.Streams = slices.DeleteFunc(slices.Clone(catalog.Streams), func(stream connector.Stream) bool {
		return !slices.Contains([]string{customers, invoices, lines, taxIDs}, stream.Name)
	})
	return catalog, err
}

// Read does the next act.
func (s *service) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	req.CheckpointPages = 1 // as many states to resume from as possible
	r := &reading{began: time.Now(), given: map[string]string{}, sent: map[string][]string{}}
	for _, state := range req.States {
		r.given[state.Stream] = canonical(state.State)
	}
	s.mu.Lock()
	s.reads = append(s.reads, r)
	var do act
	if len(s.acts) > 0 {
		do, s.acts = s.acts[0], s.acts[1:]
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.ended = time.Now()
	}()
	recorder := sinkFunc(func(ctx context.Context, m connector.Message) error {
		s.record(r, m)
		return sink.Send(ctx, m)
	})
	if do == nil {
		return s.Source.Read(ctx, req, recorder)
	}
	return do(ctx, req, recorder, s.Source.Read)
}

func (s *service) record(r *reading, m connector.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case *connector.StateCheckpoint:
		r.sent[m.Stream] = append(r.sent[m.Stream], canonical(m.State))
	case *connector.RecordBatch:
		for _, record := range m.Records {
			if record.Operation == connector.DeleteMatching {
				r.matching++
			}
		}
	}
}

type sinkFunc func(context.Context, connector.Message) error

func (f sinkFunc) Send(ctx context.Context, m connector.Message) error { return f(ctx, m) }

// refuse returns an act that fails at once.
func refuse(f *connector.Failure) act {
	return func(context.Context, connector.ReadRequest, connector.Sink, readFunc) (connector.Summary, error) {
		return connector.Summary{}, f
	}
}

// limit returns an act that leaves what exceeds n records to another Read.
func limit(n int64) act {
	return func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, read readFunc) (connector.Summary, error) {
		req.RecordLimit = n
		return read(ctx, req, sink)
	}
}

// whenFailed returns an act that calls do once, when a stream has failed or the Read ends.
func whenFailed(do func()) act {
	return func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, read readFunc) (connector.Summary, error) {
		defer do()
		return read(ctx, req, sinkFunc(func(sending context.Context, m connector.Message) error {
			err := sink.Send(sending, m)
			if s, ok := m.(*connector.StreamStatus); ok && s.Failure != nil {
				do()
			}
			return err
		}))
	}
}

var errInterrupted = errors.New("the Read was interrupted")

// interrupt returns an act that ends with the error of do. It calls do when the Read has sent this many checkpoints of
// customers and, after them, customers that no checkpoint covers.
func interrupt(checkpoints int, do func(context.Context) error) act {
	return func(ctx context.Context, req connector.ReadRequest, sink connector.Sink, read readFunc) (connector.Summary, error) {
		seen, interrupted := 0, false
		summary, err := read(ctx, req, sinkFunc(func(sending context.Context, m connector.Message) error {
			if interrupted {
				return errInterrupted
			}
			if err := sink.Send(sending, m); err != nil {
				return err
			}
			switch m := m.(type) {
			case *connector.StateCheckpoint:
				if m.Stream == customers {
					seen++
				}
			case *connector.RecordBatch:
				if m.Stream == customers && seen >= checkpoints {
					interrupted = true
					return errInterrupted
				}
			}
			return nil
		}))
		if interrupted {
			return connector.Summary{}, do(ctx)
		}
		return summary, err
	}
}

// silence makes the Read that ends next have status OK.
func (s *service) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// intercept is a gRPC interceptor.
func (s *service) intercept(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := handle(srv, stream)
	if info.FullMethod != connectorv1.ConnectorService_Read_FullMethodName {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent {
		s.silent, err = false, nil
	}
	return err
}

// breakable is a listener whose connections can be broken.
type breakable struct {
	net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

// Accept implements [net.Listener].
func (b *breakable) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns = append(b.conns, conn)
	return conn, nil
}

// cut breaks all connections.
func (b *breakable) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.conns {
		_ = conn.Close() // may have been closed already
	}
	b.conns = nil
}

// canonical returns a JSON value in a form that equal values share, or the text itself if it is not valid.
func canonical(text json.RawMessage) string {
	value, err := parse(text)
	if err != nil {
		return string(text)
	}
	return format(value)
}
