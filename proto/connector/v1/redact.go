// Package connectorv1 is the protocol connector.v1: the generated code, and what keeps secrets out of printed requests.
package connectorv1

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The generated String method prints every field, whatever its debug_redact says
// (https://github.com/golang/protobuf/issues/1655). Package fmt prefers Format to it, slog prefers LogValue, and encoding/json
// prefers MarshalJSON, so a request that is logged by mistake shows no secret. String, prototext and protojson still print
// everything.

// Format prints the request for every verb without the configuration, which may hold secrets.
func (x *CheckRequest) Format(f fmt.State, _ rune) { format(f, x) }

// Format prints the request for every verb without the configuration, which may hold secrets.
func (x *DiscoverRequest) Format(f fmt.State, _ rune) { format(f, x) }

// Format prints the request for every verb without the configuration, which may hold secrets.
func (x *ReadRequest) Format(f fmt.State, _ rune) { format(f, x) }

// LogValue returns the request as text without the configuration, which may hold secrets.
func (x *CheckRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(x)) }

// LogValue returns the request as text without the configuration, which may hold secrets.
func (x *DiscoverRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(x)) }

// LogValue returns the request as text without the configuration, which may hold secrets.
func (x *ReadRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(x)) }

// MarshalJSON returns the request as JSON without the configuration, which may hold secrets. Use protojson to send a request.
func (x *CheckRequest) MarshalJSON() ([]byte, error) { return marshal(x) }

// MarshalJSON returns the request as JSON without the configuration, which may hold secrets. Use protojson to send a request.
func (x *DiscoverRequest) MarshalJSON() ([]byte, error) { return marshal(x) }

// MarshalJSON returns the request as JSON without the configuration, which may hold secrets. Use protojson to send a request.
func (x *ReadRequest) MarshalJSON() ([]byte, error) { return marshal(x) }

var (
	_ fmt.Formatter  = (*ReadRequest)(nil)
	_ slog.LogValuer = (*ReadRequest)(nil)
	_ json.Marshaler = (*ReadRequest)(nil)
)

func format(f fmt.State, m proto.Message) {
	shown, hidden := redact(m)
	_, _ = fmt.Fprint(f, strings.Join(append(hidden, prototext.MarshalOptions{}.Format(shown)), " ")) // f's writer doesn't fail
}

// redact returns a shallow copy of m without the fields that are marked debug_redact, and what to print in their place.
func redact(m proto.Message) (shown proto.Message, hidden []string) {
	from := m.ProtoReflect()
	to := from.New()
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Options().(*descriptorpb.FieldOptions).GetDebugRedact() {
			hidden = append(hidden, string(field.Name())+":[REDACTED]")
		} else {
			to.Set(field, value)
		}
		return true
	})
	return to.Interface(), hidden
}

func marshal(m proto.Message) ([]byte, error) {
	shown, _ := redact(m)
	return protojson.Marshal(shown)
}
