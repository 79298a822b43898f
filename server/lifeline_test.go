package server

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stripe-connector/stripe-connector/connector"
)

// eventually waits until holds returns true, and fails the test if that takes too long.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("gave up waiting: %s", what)
		}
	}
}

// TestStalledReadIsCutOff has a client that stops reading. The Read ends even if the client never reads again. If it does,
// it receives the messages in flight and then the reason.
func TestStalledReadIsCutOff(t *testing.T) {
	running := goleak.IgnoreCurrent()
	t.Run("", func(t *testing.T) {
		var sent atomic.Int64
		ended := make(chan error, 1)
		source := endless(&sent)
		read := source.read
		source.read = func(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
			summary, err := read(ctx, req, sink)
			ended <- err
			return summary, err
		}
		f := start(t, source, Options{StallTimeout: 200 * time.Millisecond})
		stream, err := f.Read(t.Context(), charges())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("the source is still sending")
		}
		eventually(t, "the call has ended", func() bool { return f.server.gate.running.Load() == 0 })
		for err == nil {
			_, err = stream.Recv()
		}
		if st := status.Convert(err); st.Code() != codes.Unavailable || !strings.Contains(st.Message(), "received no message for 200ms") ||
			!detailsOf(t, err).failure.GetRetryable() {
			t.Errorf("the client got %v, want UNAVAILABLE and the reason", err)
		}
		if trailer := stream.Trailer().Get(failureTrailer); len(trailer) != 1 {
			t.Errorf("trailers %v", stream.Trailer())
		}
	})
	if err := goleak.Find(running); err != nil {
		t.Errorf("something goes on: %v", err)
	}
}

// TestSlowReadIsNotCutOff has a client that reads slowly but steadily, for longer than the stall timeout.
func TestSlowReadIsNotCutOff(t *testing.T) {
	var batches []connector.Message
	for range 40 {
		batches = append(batches, sized(30_000))
	}
	f := start(t, reads(connector.Summary{}, batches...), Options{StallTimeout: 500 * time.Millisecond})
	stream, err := f.Read(t.Context(), charges())
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d messages: %v", n, err)
		}
		if m.GetSummary() != nil {
			break
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// TestDeadlineEndsStalledRead has a client that sets a deadline and does not read.
func TestDeadlineEndsStalledRead(t *testing.T) {
	var sent atomic.Int64
	f := start(t, endless(&sent), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := f.Read(ctx, charges()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the call has begun", func() bool { return sent.Load() > 0 })
	eventually(t, "the call has ended", func() bool { return f.server.gate.running.Load() == 0 })
}

// TestRequestThatNeverArrives has clients that send the headers of a call but no request.
func TestRequestThatNeverArrives(t *testing.T) {
	_, address := listen(t, Options{HandshakeTimeout: 300 * time.Millisecond})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for i, method := range []string{"Spec", "Read"} {
		var block strings.Builder
		encoder := hpack.NewEncoder(&block)
		for _, field := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", "/" + serviceName + "/" + method}, {":authority", "x"},
			{"content-type", "application/grpc"}, {"te", "trailers"},
		} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		if err := framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: uint32(1 + 2*i), BlockFragment: []byte(block.String()), EndHeaders: true,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for answered := map[uint32]bool{}; len(answered) < 2; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("answers on %v only: %v", answered, err)
		}
		if header := frame.Header(); header.Flags.Has(http2.FlagHeadersEndStream) && header.StreamID > 0 {
			answered[header.StreamID] = true
		}
	}
}

// TestSilentConnection checks that a connection on which the client sends nothing is closed.
func TestSilentConnection(t *testing.T) {
	_, address := listen(t, Options{HandshakeTimeout: 300 * time.Millisecond})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	for {
		if _, err := conn.Read(make([]byte, 1024)); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
			return
		}
	}
}
