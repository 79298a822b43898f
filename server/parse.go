package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/connector"
)

// parser converts the fields of a request and collects violations, so that all of them can be reported together.
// Descriptions never quote a value, which may be a secret. The path identifies the field.
type parser struct {
	wrong      int                   // number of violations found
	violations []connector.Violation // the first maxViolations of them
}

const (
	// maxViolations is the maximum number of violations listed in a failure.
	maxViolations = 20
	// maxMembers is the maximum length of a list in a request. No source has more streams, and no object more fields.
	maxMembers = 1000
)

// add records a violation.
func (p *parser) add(field, description string) {
	if p.wrong++; p.wrong <= maxViolations {
		p.violations = append(p.violations, connector.Violation{Field: field, Description: description})
	}
}

// err returns a failure that lists the violations, or nil if there are none.
func (p *parser) err() error {
	if p.wrong == 0 {
		return nil
	}
	failure := connector.Invalid(p.violations...)
	if more := p.wrong - len(p.violations); more > 0 {
		failure.Message += fmt.Sprintf("; and %d more", more)
	}
	return failure
}

// isShort reports whether a list has at most maxMembers members, and adds a violation if not.
func (p *parser) isShort(field string, length int) bool {
	if length > maxMembers {
		p.add(field, fmt.Sprintf("has %d members: send at most %d", length, maxMembers))
	}
	return length <= maxMembers
}

// object returns s as compact JSON, or nil if s is unset.
func (p *parser) object(field string, s *structpb.Struct) json.RawMessage {
	if s == nil {
		return nil
	}
	spaced, err := protojson.Marshal(s)
	if err != nil { // drop err, which quotes the value
		p.add(field, "contains a value that JSON can't represent: NaN, an infinity, or a Value that is not set")
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, spaced); err != nil {
		p.add(field, "is nested too deeply")
		return nil
	}
	return compact.Bytes()
}

// rejectUnknown adds a violation for each field, in m or in a message within it, that this server does not know. Options are never
// silently ignored.
func (p *parser) rejectUnknown(path string, m protoreflect.Message) {
	for unknown := m.GetUnknown(); len(unknown) > 0; {
		number, _, size := protowire.ConsumeField(unknown)
		if size < 0 {
			break // can't happen: protobuf has already decoded the message
		}
		p.add(strings.TrimPrefix(fmt.Sprintf("%s.%d", path, number), "."),
			"is a field number that this server does not know: leave it unset, or use a newer server")
		unknown = unknown[size:]
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil || field.IsMap() || field.Message().FullName() == structName {
			return true
		}
		at := strings.TrimPrefix(path+"."+string(field.Name()), ".")
		if !field.IsList() {
			p.rejectUnknown(at, value.Message())
			return true
		}
		for i := range value.List().Len() {
			p.rejectUnknown(index(at, i), value.List().Get(i).Message())
		}
		return true
	})
}

// structName is the type of configurations and of the content of states, whose fields only the source knows.
var structName = (*structpb.Struct)(nil).ProtoReflect().Descriptor().FullName()

// streamName checks that name is set and not yet in seen, and adds it to seen.
func (p *parser) streamName(field, name string, seen map[string]bool) {
	switch {
	case name == "":
		p.add(field, "must name a stream")
	case seen[name]:
		p.add(field, "names a stream that was named before: name each stream once")
	}
	seen[name] = true
}

// enum checks that value is one that this server knows.
func (p *parser) enum(field string, value protoreflect.Enum) {
	if value.Descriptor().Values().ByNumber(value.Number()) == nil {
		p.add(field, "is a value that this server does not know")
	}
}

// notNegative checks that count is not negative.
func (p *parser) notNegative(field string, count int64) {
	if count < 0 {
		p.add(field, "must not be negative")
	}
}

// duration returns d, or zero if d is unset.
func (p *parser) duration(field string, d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	if d.CheckValid() != nil {
		p.add(field, "is not a valid duration")
		return 0
	}
	if d.AsDuration() < 0 {
		p.add(field, "must not be negative")
	}
	return d.AsDuration()
}

// second returns t, which must be in whole seconds, or the zero time if t is unset.
func (p *parser) second(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	if t.CheckValid() != nil {
		p.add(field, "is not a valid timestamp")
		return time.Time{}
	}
	if t.GetNanos() != 0 {
		p.add(field, "must be in whole seconds")
	}
	return t.AsTime()
}

// index returns the path of the i-th element of field.
func index(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
