package server

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxElements is the maximum number of fields, list members, and map entries in a request. Each may take a hundred bytes
	// or more when decoded, even an empty message of two bytes on the wire, so limiting the request's size is not enough.
	maxElements = 1 << 18
	// maxDepth is the maximum nesting of messages. A value in an object takes three levels: the Struct, its entry, and the
	// Value.
	maxDepth = 300
	// overflowField is the number of the unknown field that marks a request over one of these limits. If the codec returned
	// an error instead, gRPC would respond with INTERNAL and no advice.
	overflowField protowire.Number = 1<<29 - 1
)

// Unmarshal decodes a request. If that would take too much memory, it leaves the request empty except for a mark, which
// overflows detects.
func (c *codec) Unmarshal(data mem.BufferSlice, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, message)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	budget := elements{left: maxElements}
	if !budget.allow(buffer.ReadOnlyData(), m.ProtoReflect().Descriptor(), maxDepth) {
		proto.Reset(m)
		m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, overflowField, protowire.VarintType), 1))
		return nil
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), m)
}

// exceedsBudget reports whether the codec refused to decode a request.
func exceedsBudget(message any) bool {
	m, ok := message.(proto.Message)
	if !ok {
		return false
	}
	number, _, size := protowire.ConsumeField(m.ProtoReflect().GetUnknown())
	return size > 0 && number == overflowField
}

// elements is the number of elements that may still be decoded.
type elements struct{ left int }

// allow reports whether the budget suffices for decoding a message with at most depth levels, and deducts the message's
// elements. It ignores malformed input, which proto.Unmarshal will reject.
func (e *elements) allow(encoded []byte, m protoreflect.MessageDescriptor, depth int) bool {
	if depth == 0 {
		return false
	}
	for len(encoded) > 0 {
		number, kind, size := protowire.ConsumeTag(encoded)
		if size < 0 {
			return true
		}
		content, length := encoded[size:], protowire.ConsumeFieldValue(number, kind, encoded[size:])
		if length < 0 {
			return true
		}
		encoded = content[length:]
		field := m.Fields().ByNumber(number)
		switch {
		case field == nil || kind != protowire.BytesType:
			e.left--
		case field.Message() == nil && !isText(field): // packed numbers
			e.left -= length
		default:
			e.left--
		}
		if e.left < 0 {
			return false
		}
		if field == nil || kind != protowire.BytesType || field.Message() == nil {
			continue
		}
		if inner, n := protowire.ConsumeBytes(content); n > 0 && !e.allow(inner, field.Message(), depth-1) {
			return false
		}
	}
	return true
}

// isText reports whether a field holds strings or bytes.
func isText(field protoreflect.FieldDescriptor) bool {
	return field.Kind() == protoreflect.StringKind || field.Kind() == protoreflect.BytesKind
}
