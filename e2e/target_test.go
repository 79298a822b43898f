package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// target is a service that is attacked, in its own process. It has two tenants, each with a token and a secret.
type target struct {
	*process
	page    string // the base URL of the metrics server
	folder  string // with the secrets and the tokens
	stripe  *stripetest.Server
	hostile string                      // the base URL of the hostile upstream
	conns   map[string]*grpc.ClientConn // by token
}

// The credentials of the tenants. The victim's Reads are measured.
const (
	victimToken, attackerToken = "victim-0123456789abcdef", "attacker-0123456789abcdef"
	victimKey, attackerKey     = "sk_test_victim0123456789", "sk_test_attacker0123456789"
)

func newTarget(t *testing.T) *target {
	t.Helper()
	s := &target{page: freeAddress(t), folder: t.TempDir(), hostile: hostileUpstream(t), conns: map[string]*grpc.ClientConn{}}
	s.stripe = simulate(t, stripetest.Options{Objects: map[string]int{"*": 3, "/v1/charges": 2400}, Compact: true})
	s.stripe.SetKey(victimKey, stripetest.Key{})
	s.stripe.SetKey(attackerKey, stripetest.Key{Account: s.stripe.ConnectedAccounts()[0]})
	s.write(t, "secrets/victim", victimKey)
	s.write(t, "secrets/attacker", attackerKey)
	s.write(t, "tokens", victimToken+" caller=victim victim\n"+attackerToken+" caller=attacker attacker pipe huge link folder binary\n")
	address := freeAddress(t)
	s.process = startProcess(t, s.stripe.URL, "--listen", address, "--allow-api-base", s.hostile, "--tokens", filepath.Join(s.folder, "tokens"),
		"--secrets-dir", filepath.Join(s.folder, "secrets"), "--metrics-listen", s.page, "--max-connections", "200", "--max-reads-per-account", "4")
	s.page, s.address = "http://"+s.page, address
	for _, token := range []string{"", "wrong-0123456789abcdef", victimToken, attackerToken} {
		conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		s.conns[token] = conn
	}
	return s
}

// write writes a file below the target's folder.
func (s *target) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(s.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// config returns a configuration with a named secret.
func (s *target) config(t *testing.T, secret string, more map[string]any) map[string]any {
	t.Helper()
	config := map[string]any{"api_key": map[string]any{"secret": secret}, "api_base": s.stripe.URL, "start_date": "2020-01-01"}
	maps.Copy(config, more)
	return config
}

// pace returns how long a Read of the victim takes. The Read is slow because of its own limit of requests per second, not because
// of the machine.
func (s *target) pace(t *testing.T) time.Duration {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+victimToken)
	began := time.Now()
	stream, err := connectorv1.NewConnectorServiceClient(s.conns[victimToken]).Read(ctx, &connectorv1.ReadRequest{
		Config: configuration(t, s.config(t, "victim", map[string]any{"max_requests_per_second": 12})), Streams: selectStreams("charges"),
	})
	records := 0
	for err == nil {
		var m *connectorv1.ReadResponse
		if m, err = stream.Recv(); err == nil {
			records += len(m.GetRecords().GetRecords())
		}
	}
	if !errors.Is(err, io.EOF) || records != 2400 {
		t.Errorf("the victim got %d records: %v", records, err)
	}
	return time.Since(began)
}

// paceOf returns the pace of a Read as a share of the pace of a Read of another target at the same time.
func (s *target) paceOf(t *testing.T, other *target) float64 {
	var mine, theirs time.Duration
	var both sync.WaitGroup
	both.Go(func() { mine = s.pace(t) })
	both.Go(func() { theirs = other.pace(t) })
	both.Wait()
	return theirs.Seconds() / mine.Seconds()
}

// usage is what the service uses.
type usage struct{ memory, goroutines, descriptors int }

var usageMetric = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds) ([0-9.e+]+)$`)

// usage returns what the service uses now, and the most memory that it has used so far.
func (s *target) usage(t *testing.T) usage {
	t.Helper()
	u := usage{memory: s.memory(t, "VmHWM")}
	resp, err := http.Get(s.page + "/metrics")
	if err != nil {
		t.Error(err)
		return u
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	for _, match := range usageMetric.FindAllStringSubmatch(string(text), -1) {
		value, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			t.Error(err)
		}
		if match[1] == "go_goroutines" {
			u.goroutines = int(value)
		} else {
			u.descriptors = int(value)
		}
	}
	return u
}

// peak returns the most that the service uses until stop is closed.
func (s *target) peak(t *testing.T, stop <-chan struct{}) (maximum usage) {
	for {
		u := s.usage(t)
		maximum.goroutines, maximum.descriptors = max(maximum.goroutines, u.goroutines), max(maximum.descriptors, u.descriptors)
		select {
		case <-stop:
			return maximum
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// call makes a number of calls at once, with a request that is already encoded, and returns how many ended with each code.
func (s *target) call(t *testing.T, token, method string, request []byte, calls int, options ...grpc.CallOption) map[codes.Code]int {
	return s.callFor(t, time.Minute, token, method, request, calls, options...)
}

// callFor is like call, but ends the calls after a while.
func (s *target) callFor(t *testing.T, maximum time.Duration, token, method string, request []byte, calls int, options ...grpc.CallOption) map[codes.Code]int {
	ctx, cancel := context.WithTimeout(t.Context(), maximum)
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
			stream, err := s.conns[token].NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, options...)
			if err == nil {
				_ = stream.SendMsg(request) // if it fails, RecvMsg returns the reason
				_ = stream.CloseSend()
			}
			for err == nil {
				err = stream.RecvMsg(new([]byte))
			}
			code := status.Code(err)
			if errors.Is(err, io.EOF) {
				code = codes.OK
			}
			mu.Lock()
			defer mu.Unlock()
			ended[code]++
		})
	}
	all.Wait()
	return ended
}

// refused checks that all calls were refused with one of these codes.
func refused(t *testing.T, what string, ended map[codes.Code]int, with ...codes.Code) {
	t.Helper()
	for _, code := range with {
		delete(ended, code)
	}
	if len(ended) > 0 {
		t.Errorf("%s: calls ended with %v, want %v only", what, ended, with)
	}
}

const (
	checkMethod = connectorv1.ConnectorService_Check_FullMethodName
	readMethod  = connectorv1.ConnectorService_Read_FullMethodName
)

// bomb is a CheckRequest of 4 MB, a few KB if compressed, that decodes to a million values.
var bomb = sync.OnceValue(func() []byte {
	field := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	null := field(1, []byte{8, 0}) // ListValue.values, Value.null_value
	list := field(6, bytes.Repeat(null, 1<<20-16))
	return field(1, field(1, append(field(1, []byte("api_key")), field(2, list)...)))
})

// attackTime is how long calls that the service doesn't refuse last.
const attackTime = time.Second

// withoutCredential opens more connections than there are, calls with requests that decompress to megabytes, and watches the
// health of a service.
func withoutCredential(t *testing.T, s *target) {
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	for range 250 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Error(err)
			return
		}
		open = append(open, conn)
	}
	watched, err := proto.Marshal(&healthv1.HealthCheckRequest{})
	if err != nil {
		t.Error(err)
	}
	refused(t, "Watch", s.callFor(t, attackTime, "", healthv1.Health_Watch_FullMethodName, watched, 200), codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted, codes.Unavailable)
	// The service closes the oldest connections of clients without a credential, among them this one.
	refused(t, "Check", s.call(t, "", checkMethod, bomb(), 4, grpc.UseCompressor(gzip.Name)), codes.Unauthenticated, codes.Unavailable)
	refused(t, "Read", s.call(t, "", readMethod, nil, 100), codes.Unauthenticated, codes.Unavailable)
}

// withWrongCredential calls with a token that the service doesn't know.
func withWrongCredential(t *testing.T, s *target) {
	const token = "wrong-0123456789abcdef"
	refused(t, "Check", s.call(t, token, checkMethod, bomb(), 4, grpc.UseCompressor(gzip.Name)), codes.Unauthenticated)
	refused(t, "Read", s.call(t, token, readMethod, nil, 200), codes.Unauthenticated)
}

// asAnotherTenant names the victim's secret and account, resumes from a state of the victim, and reads its own account as fast as it
// may.
func asAnotherTenant(t *testing.T, s *target) {
	encode := func(config map[string]any, states ...*connectorv1.StreamState) []byte {
		request, err := proto.Marshal(&connectorv1.ReadRequest{Config: configuration(t, config), Streams: selectStreams("charges"), States: states})
		if err != nil {
			t.Error(err)
		}
		return request
	}
	for _, name := range []string{"victim", "./victim", "../secrets/victim", "../tokens", filepath.Join(s.folder, "secrets/victim"), "VICTIM", "attacker/../victim", ""} {
		refused(t, "Read with the secret "+name, s.call(t, attackerToken, readMethod, encode(s.config(t, name, nil)), 1), codes.InvalidArgument)
	}
	for _, account := range []string{s.stripe.ID(), s.stripe.ConnectedAccounts()[1]} {
		refused(t, "Read of another account", s.call(t, attackerToken, readMethod, encode(s.config(t, "attacker", map[string]any{"account": account})), 1),
			codes.PermissionDenied, codes.InvalidArgument, codes.Unauthenticated)
	}
	own := s.callFor(t, attackTime, attackerToken, readMethod, encode(s.config(t, "attacker", map[string]any{"max_requests_per_second": 10000})), 8)
	if own[codes.ResourceExhausted] == 0 {
		t.Errorf("eight Reads of an account at once ended with %v, want RESOURCE_EXHAUSTED for some", own)
	}
}

// hostileRequests are CheckRequests that no honest caller would send, and the codes that refuse them.
var hostileRequests = sync.OnceValue(func() map[string]hostileRequest {
	zeros := wrapConfig(bytes.Repeat([]byte{'0'}, 8<<20))
	invalid, explained := []codes.Code{codes.InvalidArgument}, []codes.Code{codes.InvalidArgument, codes.OK} // the response explains
	return map[string]hostileRequest{
		"oversized":            {zeros, false, []codes.Code{codes.ResourceExhausted}},
		"bomb":                 {zeros, true, []codes.Code{codes.ResourceExhausted}},
		"a million values":     {bomb(), true, invalid},
		"not proto":            {bytes.Repeat([]byte{0xff}, 1<<20), false, []codes.Code{codes.Internal}},
		"lists, 200 deep":      {nested(200, true), false, explained},
		"lists, 4,000 deep":    {nested(4000, true), false, explained},
		"objects, 3,000 deep":  {nested(3000, false), false, explained},
		"lists, 12,000 deep":   {nested(12_000, true), false, invalid},
		"objects, 12,000 deep": {nested(12_000, false), false, invalid},
	}
})

type hostileRequest struct {
	body       []byte
	compressed bool
	refused    []codes.Code
}

func withHostileRequests(t *testing.T, s *target) {
	for name, request := range hostileRequests() {
		var options []grpc.CallOption
		if request.compressed {
			options = append(options, grpc.UseCompressor(gzip.Name))
		}
		refused(t, name, s.call(t, attackerToken, checkMethod, request.body, 2, options...), request.refused...)
	}
}

// hostileStates are contents of states that no Read has sent.
var hostileStates = sync.OnceValue(func() map[string]*structpb.Struct {
	window := func(from, to string) any { return map[string]any{"from": from, "to": to} }
	const first, second, third = "2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z", "2023-03-01T00:00:00Z"
	var many []any
	for range 12_000 {
		many = append(many, window(first, first))
	}
	var deep any = []any{}
	for range 2000 {
		deep = []any{deep}
	}
	events := func(value any) map[string]any { return map[string]any{"changes": map[string]any{"events": value}} }
	states := map[string]*structpb.Struct{}
	for name, members := range map[string]map[string]any{
		"overlapping windows": {"windows": []any{window(first, third), window(second, third)}},
		"inverted window":     {"windows": []any{window(second, first)}},
		"many windows":        {"windows": many},
		"no events":           events(nil),
		"damaged events":      events(map[string]any{"from": first, "until": first, "seen": strings.Repeat("A", 1<<20)}),
		"deep":                {"windows": deep},
		"of the future":       {"to": "2999-01-01T00:00:00Z"},
	} {
		content := map[string]any{"version": 4, "mode": "test", "generation": 1, "from": first, "to": third, "windows": []any{},
			"pass": map[string]any{"id": "A", "sequence": 0, "streams": 1}}
		maps.Copy(content, members)
		state, err := structpb.NewStruct(content)
		if err != nil {
			panic(err)
		}
		states[name] = state
	}
	return states
})

// withHostileStates resumes from states that no Read has sent.
func withHostileStates(t *testing.T, s *target) {
	for name, content := range hostileStates() {
		request, err := proto.Marshal(&connectorv1.ReadRequest{Config: configuration(t, s.config(t, "attacker", nil)), Streams: selectStreams("charges"),
			States: []*connectorv1.StreamState{{Stream: "charges", Content: content}}})
		if err != nil {
			t.Error(err)
		}
		refused(t, name, s.call(t, attackerToken, readMethod, request, 2), codes.InvalidArgument)
	}
}

// hostileUpstream serves responses that never end: half of them a byte at a time, the others large.
func hostileUpstream(t *testing.T) string {
	t.Helper()
	var requests sync.Mutex
	n := 0
	block := bytes.Repeat([]byte{' '}, 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Lock()
		n++
		chunk := block[:1]
		if n%2 == 0 {
			chunk = block
		}
		requests.Unlock()
		w.Header().Set("Content-Type", "application/json")
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// throughHostileUpstream reads many accounts of an upstream whose responses don't end.
func throughHostileUpstream(t *testing.T, s *target) {
	var all sync.WaitGroup
	for account := range 12 {
		config := s.config(t, "", map[string]any{"api_key": fmt.Sprintf("sk_test_hostile%010d", account), "api_base": s.hostile})
		request, err := proto.Marshal(&connectorv1.ReadRequest{Config: configuration(t, config), Streams: selectStreams("charges", "customers", "invoices", "events")})
		if err != nil {
			t.Error(err)
		}
		all.Go(func() {
			if ended := s.callFor(t, attackTime, attackerToken, readMethod, request, 4); ended[codes.OK] > 0 {
				t.Errorf("Reads of an upstream without an end ended with %v", ended)
			}
		})
	}
	all.Wait()
}

// withHostileFiles puts files among the secrets that can't be read to their end, or lead elsewhere, and names them. It also
// replaces the tokens with garbage.
func withHostileFiles(t *testing.T, s *target) {
	path := func(name string) string { return filepath.Join(s.folder, "secrets", name) }
	if _, err := os.Lstat(path("pipe")); err != nil {
		s.write(t, "secrets/binary", "\x00\xff\xfe")
		s.write(t, "secrets/huge", "")
		if err := errors.Join(syscall.Mkfifo(path("pipe"), 0o600), os.Truncate(path("huge"), 8<<30), os.Symlink("/proc/self/environ", path("link")), os.Mkdir(path("folder"), 0o700)); err != nil {
			t.Error(err)
		}
		s.write(t, "tokens", strings.Repeat("garbage\n", 1<<17))
	}
	for _, name := range []string{"pipe", "huge", "link", "folder", "binary"} {
		request, err := proto.Marshal(&connectorv1.ReadRequest{Config: configuration(t, s.config(t, name, nil)), Streams: selectStreams("charges")})
		if err != nil {
			t.Error(err)
		}
		refused(t, "Read with the secret "+name, s.call(t, attackerToken, readMethod, request, 8), codes.InvalidArgument)
	}
}
