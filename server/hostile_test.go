package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// victimTokens is the environment variable that makes the test binary run as a server. Its value is the path of the token
// file, or "-" for a server without tokens.
const victimTokens = "STRIPE_CONNECTOR_TEST_VICTIM_TOKENS"

// beVictim runs a server until standard input ends.
func beVictim(tokensFile string) {
	debug.SetGCPercent(GCPercent)
	opts := Options{Health: Open}
	if tokensFile != "-" {
		tokens, err := LoadTokens(tokensFile, slog.Default())
		if err != nil {
			panic(err)
		}
		opts.Tokens = tokens
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	server := New(&fakeSource{}, opts)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Shutdown(context.Background())
	}()
	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}

// victim is a server in a separate process, so that its memory use can be measured.
type victim struct {
	address string
	pid     int
	before  int // MiB
}

func attack(t *testing.T, tokens string) *victim {
	t.Helper()
	file := "-"
	if tokens != "" {
		file = filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(file, []byte(tokens), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimTokens+"="+file)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // fails because the process was killed
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{address: strings.TrimSpace(line), pid: cmd.Process.Pid}
	v.before = v.memory(t)
	return v
}

// memory returns the process's peak memory use, in MiB.
func (v *victim) memory(t *testing.T) int {
	t.Helper()
	about, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
	if err != nil {
		t.Skip("memory is measured where there is /proc")
	}
	_, rest, _ := strings.Cut(string(about), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// grewLess checks that the process's peak memory use grew by at most the given MiB, and that the server still responds.
func (v *victim) grewLess(t *testing.T, than int) {
	t.Helper()
	grown := v.memory(t) - v.before
	t.Logf("it cost %d MiB", grown)
	if grown > than {
		t.Errorf("it cost %d MiB, more than %d", grown, than)
	}
	if err := (caller{address: v.address, token: "Bearer " + firstToken}).call(t, spec); err != nil {
		t.Errorf("the server no longer answers: %v", err)
	}
}

// verbatim is a codec for messages that are already encoded.
type verbatim struct{}

func (verbatim) Name() string { return "proto" }

func (verbatim) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (verbatim) Unmarshal(mem.BufferSlice, any) error { return nil }

// ask makes a number of concurrent calls and returns how many ended with each code.
func (v *victim) ask(t *testing.T, calls int, method string, request []byte, token string, options ...grpc.CallOption) map[codes.Code]int {
	t.Helper()
	conn, err := grpc.NewClient(v.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	options = append(options, grpc.ForceCodecV2(verbatim{}), grpc.MaxCallSendMsgSize(1<<30))
	var mu sync.Mutex
	ended := map[codes.Code]int{}
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, options...)
			if err == nil {
				_ = stream.SendMsg(request) // if it fails, RecvMsg returns the reason
				_ = stream.CloseSend()
			}
			for err == nil {
				err = stream.RecvMsg(new([]byte))
			}
			mu.Lock()
			defer mu.Unlock()
			if err == io.EOF { //nolint:errorlint // RecvMsg's own
				ended[codes.OK]++
			} else {
				ended[status.Code(err)]++
			}
		})
	}
	all.Wait()
	return ended
}

// field encodes a field with the given encoded content.
func field(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

// nulls returns an encoded configuration of about 4 MB that would decode to a million values.
func nulls() []byte {
	null := field(1, protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 0)) // ListValue.values, Value.null_value
	list := field(6, bytes.Repeat(null, 1<<20-16))
	return field(1, field(1, append(field(1, []byte("api_key")), field(2, list)...)))
}

// TestUnauthenticatedClientsCostNoMemory sends requests of a few KB that decompress to 4 MiB to all services, without a token or with an
// invalid one.
func TestUnauthenticatedClientsCostNoMemory(t *testing.T) {
	if err := gzip.SetLevel(1); err != nil { // compression takes most of the test's time
		t.Fatal(err)
	}
	v := attack(t, firstToken)
	request := nulls()
	for _, token := range []string{"", secondToken} {
		for method, calls := range map[string]int{
			connectorv1.ConnectorService_Check_FullMethodName: 256, connectorv1.ConnectorService_Read_FullMethodName: 16, "/grpc.health.v1.Health/Check": 16,
		} {
			ended := v.ask(t, calls, method, request, token, grpc.UseCompressor(gzip.Name))
			if ended[codes.Unauthenticated] != calls {
				t.Errorf("%s ended with %v, want UNAUTHENTICATED only", method, ended)
			}
		}
	}
	v.grewLess(t, 64)
}

// TestRequestsOfManyPartsCostLittle has an authenticated caller whose requests are small on the wire but large in memory.
func TestRequestsOfManyPartsCostLittle(t *testing.T) {
	const read, check = connectorv1.ConnectorService_Read_FullMethodName, connectorv1.ConnectorService_Check_FullMethodName
	many := func(part []byte) []byte { return bytes.Repeat(part, (4<<20-64)/len(part)) }
	tests := map[string]struct {
		method  string
		request []byte
	}{
		"streams":          {read, many(field(2, nil))},
		"states":           {read, append(field(2, field(1, []byte("charges"))), many(field(3, nil))...)},
		"fields":           {read, field(2, append(field(1, []byte("charges")), many(field(3, nil))...))},
		"operations":       {read, field(4, many([]byte{0}))},
		"unknown fields":   {read, many(protowire.AppendVarint(protowire.AppendTag(nil, 15, protowire.VarintType), 1))},
		"values":           {check, nulls()},
		"streams of Check": {check, many(field(2, nil))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := attack(t, firstToken)
			if ended := v.ask(t, 4, test.method, test.request, firstToken, grpc.UseCompressor(gzip.Name)); ended[codes.InvalidArgument] != 4 {
				t.Errorf("calls ended with %v, want INVALID_ARGUMENT", ended)
			}
			v.grewLess(t, 128)
		})
	}
}

// TestRapidReset opens and resets streams as fast as the server accepts them.
func TestRapidReset(t *testing.T) {
	v := attack(t, "")
	conn, err := net.Dial("tcp", v.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	buffered := bufio.NewWriterSize(conn, 64<<10)
	if _, err := buffered.WriteString(http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(buffered, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	resets := 100_000
	if testing.Short() {
		resets = 20_000
	}
	for i := range resets {
		block.Reset()
		for _, field := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", connectorv1.ConnectorService_Read_FullMethodName}, {":authority", "x"},
			{"content-type", "application/grpc"}, {"te", "trailers"},
		} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		id := uint32(1 + 2*i)
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
		var code [4]byte
		binary.BigEndian.PutUint32(code[:], uint32(http2.ErrCodeCancel))
		if err := framer.WriteRawFrame(http2.FrameRSTStream, 0, id, code[:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	v.grewLess(t, 100)
}
