package server

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxElements bounds the messages, list members and map entries of one request. Decoded, each costs some hundred bytes
	// however few it has on the wire, so a size in bytes alone is no bound: two bytes make an empty message.
	maxElements = 1 << 18
	// maxDepth bounds how deeply messages are nested. A value in an object is three messages: its Struct, its entry, itself.
	maxDepth = 300
	// overflowField is the number of the field that the codec leaves in a request that breaks one of these bounds. gRPC
	// would answer an error of the codec itself with INTERNAL, and without a word of advice.
	overflowField protowire.Number = 1<<29 - 1
)

// Unmarshal decodes a request, unless that would cost too much memory. Such a request is left empty but for a mark, which
// [overflows] finds.
func (c *codec) Unmarshal(data mem.BufferSlice, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, message)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	budget := elements{left: maxElements}
	if !budget.afford(buffer.ReadOnlyData(), m.ProtoReflect().Descriptor(), maxDepth) {
		proto.Reset(m)
		m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, overflowField, protowire.VarintType), 1))
		return nil
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), m)
}

// overflows reports whether the codec refused to decode a request.
func overflows(message any) bool {
	m, ok := message.(proto.Message)
	if !ok {
		return false
	}
	number, _, size := protowire.ConsumeField(m.ProtoReflect().GetUnknown())
	return size > 0 && number == overflowField
}

// elements is a budget for decoding.
type elements struct{ left int }

// afford reports whether the budget suffices to decode a message nested at most depth deep, and deducts its elements.
// What is malformed costs nothing: decoding it fails.
func (e *elements) afford(encoded []byte, m protoreflect.MessageDescriptor, depth int) bool {
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
		if inner, n := protowire.ConsumeBytes(content); n > 0 && !e.afford(inner, field.Message(), depth-1) {
			return false
		}
	}
	return true
}

// isText reports whether a field holds strings or bytes.
func isText(field protoreflect.FieldDescriptor) bool {
	return field.Kind() == protoreflect.StringKind || field.Kind() == protoreflect.BytesKind
}
