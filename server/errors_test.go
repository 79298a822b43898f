package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestCodes(t *testing.T) {
	want := map[connector.Class]codes.Code{
		connector.ConfigError:     codes.InvalidArgument,
		connector.AuthError:       codes.Unauthenticated,
		connector.PermissionError: codes.PermissionDenied,
		connector.RateLimit:       codes.ResourceExhausted,
		connector.Transient:       codes.Unavailable,
		connector.SourceData:      codes.DataLoss,
		connector.System:          codes.Internal,
		0:                         codes.Internal,
	}
	for number, name := range connectorv1.FailureClass_name {
		class := connector.Class(number)
		t.Run(name, func(t *testing.T) {
			code, ok := want[class]
			if !ok {
				t.Fatalf("class %s has no code in this test", name)
			}
			wrapped := fmt.Errorf("read charges: %w", &connector.Failure{Class: class, Message: "Fix it."})
			err := toStatus(wrapped, secrets{})
			if got := status.Code(err); got != code {
				t.Errorf("code %s, want %s", got, code)
			}
			if got := status.Convert(err).Message(); got != "Fix it." {
				t.Errorf("message %q", got)
			}
			d := detailsOf(t, err)
			if got := "FAILURE_CLASS_" + d.info.GetReason(); got != name {
				t.Errorf("got reason %s, want %s", got, name)
			}
			if d.info.GetDomain() != "connector.v1" || d.failure.GetClass() != connectorv1.FailureClass(number) {
				t.Errorf("details %v %v", d.info, d.failure)
			}
		})
	}
}

func TestErrorDetails(t *testing.T) {
	err := toStatus(&connector.Failure{
		Class: connector.RateLimit, Message: "Wait.", Internal: "429", Retryable: true, RetryAfter: 2 * time.Second,
		Stream: "charges", Account: "acct_1", RequestID: "req_1", HTTPStatus: 429, SourceCode: "rate_limit",
		Violations: []connector.Violation{{Field: "a.b", Description: "wrong"}},
	}, secrets{})
	got := detailsOf(t, err)
	want := details{
		info: &errdetails.ErrorInfo{Reason: "RATE_LIMIT", Domain: "connector.v1", Metadata: map[string]string{
			"stream": "charges", "account": "acct_1", "request_id": "req_1", "http_status": "429", "source_code": "rate_limit",
			"refused_by": "source",
		}},
		failure: &connectorv1.Failure{
			Class: connectorv1.FailureClass_FAILURE_CLASS_RATE_LIMIT, Message: "Wait.", InternalMessage: "429",
			Retryable: true, RetryAfter: durationpb.New(2 * time.Second), Stream: "charges", Account: "acct_1",
			RequestId: "req_1", HttpStatus: 429, SourceCode: "rate_limit",
			RefusedBy:  connectorv1.RefusedBy_REFUSED_BY_SOURCE,
			Violations: []*connectorv1.FieldViolation{{Field: "a.b", Description: "wrong"}},
		},
		bad: &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "a.b", Description: "wrong"},
		}},
		retry: &errdetails.RetryInfo{RetryDelay: durationpb.New(2 * time.Second)},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(details{}), protocmp.Transform()); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

func TestOtherErrors(t *testing.T) {
	tests := map[string]struct {
		err  error
		code codes.Code
		text string // in the message
	}{
		"none":             {nil, codes.OK, ""},
		"cancelled":        {fmt.Errorf("get page: %w", context.Canceled), codes.Canceled, "cancelled"},
		"deadline":         {fmt.Errorf("get page: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "deadline"},
		"unknown":          {errors.New("dial 10.1.2.3"), codes.Internal, "bug"},
		"status of others": {status.Error(codes.NotFound, "dial 10.1.2.3"), codes.Internal, "bug"},
		"not UTF-8":        {&connector.Failure{Class: connector.SourceData, Message: "a\xffb"}, codes.DataLoss, "a\uFFFDb"},
		"retryable, no time given": {
			&connector.Failure{Class: connector.Transient, Message: "again", Retryable: true}, codes.Unavailable, "again",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			st := status.Convert(toStatus(test.err, secrets{}))
			if st.Code() != test.code {
				t.Errorf("code %s, want %s", st.Code(), test.code)
			}
			if !strings.Contains(st.Message(), test.text) || strings.Contains(st.Message(), "10.1.2.3") {
				t.Errorf("message %q", st.Message())
			}
		})
	}
	retry := detailsOf(t, toStatus(&connector.Failure{Class: connector.Transient, Retryable: true}, secrets{})).retry
	if retry == nil || retry.GetRetryDelay() != nil {
		t.Errorf("a retryable failure without a time has %v, want RetryInfo without a delay", retry)
	}
}

// TestEnumNumbers checks that the enums of package connector have the same numbers as the protocol's, which casts rely on.
func TestEnumNumbers(t *testing.T) {
	check := func(name, want string) {
		t.Helper()
		if name != want {
			t.Errorf("%s, want %s", name, want)
		}
	}
	for n := range connectorv1.FailureClass_name {
		check("FAILURE_CLASS_"+connector.Class(n).String(), connectorv1.FailureClass(n).String())
	}
	for n := range connectorv1.StreamStatus_name {
		check("STREAM_STATUS_"+connector.Status(n).String(), connectorv1.StreamStatus(n).String())
	}
	for n := range connectorv1.SyncMode_name {
		check("SYNC_MODE_"+connector.SyncMode(n).String(), connectorv1.SyncMode(n).String())
	}
	for got, want := range map[string]string{
		connectorv1.Operation(connector.Upsert).String():                 "OPERATION_UPSERT",
		connectorv1.Operation(connector.Delete).String():                 "OPERATION_DELETE",
		connectorv1.Operation(connector.DeleteMatching).String():         "OPERATION_DELETE_MATCHING",
		connectorv1.LogLevel(connector.Info).String():                    "LOG_LEVEL_INFO",
		connectorv1.LogLevel(connector.Warning).String():                 "LOG_LEVEL_WARNING",
		connectorv1.LogLevel(connector.Error).String():                   "LOG_LEVEL_ERROR",
		connectorv1.Freshness(connector.ByEvents).String():               "FRESHNESS_EVENTS",
		connectorv1.Freshness(connector.ByTrailing).String():             "FRESHNESS_TRAILING",
		connectorv1.Freshness(connector.ByFull).String():                 "FRESHNESS_FULL",
		connectorv1.Availability(connector.Available).String():           "AVAILABILITY_AVAILABLE",
		connectorv1.Availability(connector.Unavailable).String():         "AVAILABILITY_UNAVAILABLE",
		connectorv1.Availability(connector.AvailabilityUnknown).String(): "AVAILABILITY_UNKNOWN",
		connectorv1.Capability(connector.FieldSelection).String():        "CAPABILITY_FIELD_SELECTION",
		connectorv1.Capability(connector.Follow).String():                "CAPABILITY_FOLLOW",
		connectorv1.Capability(connector.TimeRangeLimit).String():        "CAPABILITY_TIME_RANGE",
		connectorv1.Capability(connector.RecordLimit).String():           "CAPABILITY_RECORD_LIMIT",
		connectorv1.Capability(connector.SoftDeadline).String():          "CAPABILITY_SOFT_DEADLINE",
		connectorv1.Capability(connector.PriorityOrder).String():         "CAPABILITY_PRIORITY",
		connectorv1.Capability(connector.Reconcile).String():             "CAPABILITY_RECONCILE",
		connectorv1.Capability(connector.Checkpoints).String():           "CAPABILITY_CHECKPOINT_POLICY",
	} {
		check(got, want)
	}
}
