package server

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// The enums of package connector have the same numbers as the protocol's, so a conversion is a cast. TestEnumNumbers checks
// this.

// enums converts a list of enum values.
func enums[Proto, Go ~int32 | ~int](values []Go) []Proto {
	var converted []Proto
	for _, value := range values {
		converted = append(converted, Proto(value))
	}
	return converted
}

// structFromJSON converts a JSON object to a Struct. It returns nil for empty input.
func structFromJSON(raw json.RawMessage) (*structpb.Struct, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	object := &structpb.Struct{}
	if err := protojson.Unmarshal(raw, object); err != nil {
		return nil, err
	}
	return object, nil
}

// protoDuration converts a duration. It returns nil if d isn't positive, which always means "unknown" or "any".
func protoDuration(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}

// protoTime converts a time. It returns nil for the zero time.
func protoTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// protoFailure converts a failure and redacts secrets in its texts. It returns nil if f is nil.
func protoFailure(f *connector.Failure, hidden secrets) *connectorv1.Failure {
	if f == nil {
		return nil
	}
	converted := &connectorv1.Failure{
		Class:           connectorv1.FailureClass(f.Class),
		Message:         hidden.clean(f.Message),
		InternalMessage: hidden.clean(f.Internal),
		Retryable:       f.Retryable,
		RetryAfter:      protoDuration(f.RetryAfter),
		Stream:          hidden.clean(f.Stream),
		RequestId:       hidden.clean(f.RequestID),
		HttpStatus:      int32(f.HTTPStatus),
		SourceCode:      hidden.clean(f.SourceCode),
		Account:         hidden.clean(f.Account),
		RefusedBy:       refusedBy(nil, f.Class),
	}
	for _, v := range f.Violations {
		converted.Violations = append(converted.Violations, &connectorv1.FieldViolation{
			Field: hidden.clean(v.Field), Description: hidden.clean(v.Description),
		})
	}
	return converted
}
