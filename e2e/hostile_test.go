package e2e

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
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

// wrapConfig returns a request whose configuration has content as a string.
func wrapConfig(content []byte) []byte {
	head := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "api_key")
	text := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), content)
	entry := append(head, protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), text)...)
	fields := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), fields)
}

// attack is what an attacker does, and what it may cost the service at most.
type attack struct {
	// try attacks once, for at most a few seconds, and checks that the attacker gains nothing. It is repeated while the Reads
	// of others are measured.
	try func(*testing.T, *target)
	// memory, in MiB, and the numbers of goroutines and descriptors are the most that the service may use beyond what it uses
	// at rest.
	memory, goroutines, descriptors int
}

// attacks returns an attack for each kind of attacker in THREAT-MODEL.md.
func attacks() map[string]attack {
	return map[string]attack{
		"no credential":                   {withoutCredential, 64, 1000, 100},
		"wrong credential":                {withWrongCredential, 64, 500, 40},
		"another tenant":                  {asAnotherTenant, 96, 500, 60},
		"hostile requests":                {withHostileRequests, 128, 500, 40},
		"hostile state":                   {withHostileStates, 256, 500, 40},
		"hostile upstream":                {throughHostileUpstream, 512, 1000, 150},
		"hostile files among the secrets": {withHostileFiles, 64, 500, 40},
	}
}

// TestAttackers attacks a service as each kind of attacker in turn. The attacker must gain nothing, the service must stay within
// bounds while the attack lasts and return to rest after it, and the Reads of another caller must keep their pace.
func TestAttackers(t *testing.T) {
	if testing.Short() {
		t.Skip("measures a pace, which the race detector changes")
	}
	const pace = 0.8
	calm := newTarget(t) // isn't attacked, but shares the machine with the attack
	for name, attack := range attacks() {
		t.Run(name, func(t *testing.T) {
			s := newTarget(t)
			before := s.usage(t)
			begun, stop := make(chan struct{}), make(chan struct{})
			var attacking sync.WaitGroup
			attacking.Go(func() {
				for {
					attack.try(t, s)
					select {
					case <-stop:
						return
					case <-begun:
					default:
						close(begun)
					}
					time.Sleep(20 * time.Millisecond)
				}
			})
			var peak usage
			attacking.Go(func() { peak = s.peak(t, stop) })
			<-begun
			kept := s.paceOf(t, calm)
			for n := 1; n < 3 && kept < pace; n++ { // by chance, other programs slow down one of them
				kept = max(kept, s.paceOf(t, calm))
			}
			close(stop)
			attacking.Wait()
			grown := s.usage(t).memory - before.memory
			t.Logf("others keep %.0f %% of their pace; %d MiB, %d goroutines, %d descriptors at most beyond %+v", 100*kept, grown, peak.goroutines-before.goroutines, peak.descriptors-before.descriptors, before)
			if kept < pace {
				t.Errorf("others keep %.0f %% of their pace, less than %.0f %%", 100*kept, 100*pace)
			}
			if grown > attack.memory {
				t.Errorf("%d MiB of memory, more than %d", grown, attack.memory)
			}
			if n := peak.goroutines - before.goroutines; n > attack.goroutines {
				t.Errorf("%d goroutines, more than %d", n, attack.goroutines)
			}
			if n := peak.descriptors - before.descriptors; n > attack.descriptors {
				t.Errorf("%d descriptors, more than %d", n, attack.descriptors)
			}
			waitFor(t, "the service is at rest again", func() bool {
				now := s.usage(t)
				return now.goroutines-before.goroutines < 40 && now.descriptors-before.descriptors < 40
			})
		})
	}
}

// stillAnswers checks that the service answers a new client.
func stillAnswers(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := dial(t, address).Spec(ctx, &connectorv1.SpecRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Errorf("the service no longer responds: %v", err)
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
