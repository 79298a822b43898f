package e2e

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // used by the client to send a compression bomb
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// verbatim is a codec that sends raw bytes, including requests that no proto library would produce.
type verbatim struct{}

func (verbatim) Name() string { return "proto" }

func (verbatim) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (verbatim) Unmarshal(mem.BufferSlice, any) error { return nil }

var _ encoding.CodecV2 = verbatim{}

// nested returns a CheckRequest whose configuration consists of lists or objects nested to the given depth.
func nested(times int, list bool) []byte {
	value := protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 1) // Value.bool_value
	wrap := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(make([]byte, 0, len(content)+8), number, protowire.BytesType), content)
	}
	entry := func(content []byte) []byte { // of Struct.fields, under the key "api_key"
		key := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "api_key")
		return wrap(1, append(key, wrap(2, content)...))
	}
	for range times {
		if list {
			value = wrap(6, wrap(1, value)) // Value.list_value, ListValue.values
		} else {
			value = wrap(5, entry(value)) // Value.struct_value
		}
	}
	return wrap(1, entry(value)) // CheckRequest.config
}

// TestHostileInput sends input that no honest client would send. The service must refuse it, stay available, and stay within
// its memory limit.
func TestHostileInput(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const most = 96 // MiB
	p := startProcess(t, "http://127.0.0.1:1", "--handshake-timeout", "1s")
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	zeros := wrapConfig(bytes.Repeat([]byte{'0'}, 128<<20))
	requests := map[string]struct {
		body       []byte
		compressed bool
		want       map[codes.Code]bool
	}{
		"oversized":            {zeros[:8<<20], false, map[codes.Code]bool{codes.ResourceExhausted: true}},
		"bomb of 128 MiB":      {zeros, true, map[codes.Code]bool{codes.ResourceExhausted: true, codes.Unimplemented: true}},
		"not proto":            {bytes.Repeat([]byte{0xff}, 1<<20), false, map[codes.Code]bool{codes.Internal: true}},
		"lists, 200 deep":      {nested(200, true), false, map[codes.Code]bool{codes.InvalidArgument: true, codes.OK: true}},
		"lists, 4,000 deep":    {nested(4000, true), false, map[codes.Code]bool{codes.InvalidArgument: true, codes.OK: true}},
		"objects, 3,000 deep":  {nested(3000, false), false, map[codes.Code]bool{codes.InvalidArgument: true, codes.OK: true}},
		"lists, 20,000 deep":   {nested(20_000, true), false, map[codes.Code]bool{codes.InvalidArgument: true}},
		"objects, 20,000 deep": {nested(20_000, false), false, map[codes.Code]bool{codes.InvalidArgument: true}},
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			options := []grpc.CallOption{grpc.ForceCodecV2(verbatim{}), grpc.MaxCallSendMsgSize(1 << 30)}
			if request.compressed {
				options = append(options, grpc.UseCompressor("gzip"))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := conn.Invoke(ctx, connectorv1.ConnectorService_Check_FullMethodName, request.body, new([]byte), options...)
			if !request.want[status.Code(err)] {
				t.Errorf("got %.300v, want one of %v", err, request.want)
			}
		})
	}
	if peak := p.memory(t, "VmHWM"); peak > most {
		t.Errorf("the server's memory rose to %d MiB, more than %d", peak, most)
	} else {
		t.Logf("the server's memory rose to %d MiB", peak)
	}
	stillAnswers(t, p.address)
}

// wrapConfig returns a request whose configuration has content as a string.
func wrapConfig(content []byte) []byte {
	head := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "api_key")
	text := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), content)
	entry := append(head, protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), text)...)
	fields := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), fields)
}

// stillAnswers checks that the service answers a new client.
func stillAnswers(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := dial(t, address).Spec(ctx, &connectorv1.SpecRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Errorf("the service does not answer any more: %v", err)
	}
}

// TestThousandsOfConnections opens connections that send nothing, connections that send one byte at a time, and connections
// that idle after a valid start. The first two kinds must be closed, and none may use much memory.
func TestThousandsOfConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const most, each = 192, 1000 // MiB, connections of each kind
	p := startProcess(t, "http://127.0.0.1:1", "--handshake-timeout", "3s")
	before := p.memory(t, "VmRSS")
	kinds := map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"slow": func(conn net.Conn) {
			for _, b := range []byte(http2.ClientPreface) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(500 * time.Millisecond)
			}
		},
		"idle": func(conn net.Conn) {
			_, _ = conn.Write([]byte(http2.ClientPreface))
			_ = http2.NewFramer(conn, conn).WriteSettings()
		},
	}
	var closed sync.WaitGroup
	var talking sync.WaitGroup
	var all []net.Conn
	for kind, talk := range kinds {
		for range each {
			conn, err := net.Dial("tcp", p.address)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, conn)
			talking.Go(func() { talk(conn) })
			if kind == "idle" {
				continue
			}
			closed.Go(func() {
				_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
				for {
					if _, err := conn.Read(make([]byte, 256)); err != nil {
						if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // as it came from the connection
							t.Errorf("a %s connection stays open", kind)
						}
						return
					}
				}
			})
		}
	}
	stillAnswers(t, p.address)
	closed.Wait()
	peak := p.memory(t, "VmHWM")
	if peak-before > most {
		t.Errorf("%d connections cost the server %d MiB, more than %d", 3*each, peak-before, most)
	}
	t.Logf("%d connections cost at most %d MiB", 3*each, peak-before)
	stillAnswers(t, p.address)
	for _, conn := range all {
		_ = conn.Close()
	}
	talking.Wait()
}
