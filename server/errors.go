package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// errorDomain is the domain in every ErrorInfo.
const errorDomain = "connector.v1"

// refusalError is a failure of class AUTH, PERMISSION, or RATE_LIMIT that comes from this service, not from the source.
type refusalError struct{ *connector.Failure }

// Unwrap returns the failure.
func (r refusalError) Unwrap() error { return r.Failure }

// refusedBy returns who refused a call that ended with err, a failure of the given class.
func refusedBy(err error, class connector.Class) connectorv1.RefusedBy {
	if _, own := errors.AsType[refusalError](err); own {
		return connectorv1.RefusedBy_REFUSED_BY_SERVICE
	}
	switch class {
	case connector.AuthError, connector.PermissionError, connector.RateLimit:
		return connectorv1.RefusedBy_REFUSED_BY_SOURCE
	case connector.ConfigError, connector.Transient, connector.SourceData, connector.System:
	}
	return connectorv1.RefusedBy_REFUSED_BY_UNSPECIFIED
}

// toStatus returns the RPC error for err. An error that is neither a [connector.Failure] nor a context error is a bug. It
// becomes INTERNAL, with a message that doesn't quote it.
func toStatus(err error, hidden secrets) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "The caller cancelled the call.")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "The deadline of the call has passed.")
	}
	failure := connector.AsFailure(err)
	wire := protoFailure(failure, hidden)
	wire.RefusedBy = refusedBy(err, failure.Class)
	return fit(codeOf(failure.Class), wire).Err()
}

// codeOf returns the gRPC code for a class, as documented for the service in connector.proto.
func codeOf(class connector.Class) codes.Code {
	switch class {
	case connector.ConfigError:
		return codes.InvalidArgument
	case connector.AuthError:
		return codes.Unauthenticated
	case connector.PermissionError:
		return codes.PermissionDenied
	case connector.RateLimit:
		return codes.ResourceExhausted
	case connector.Transient:
		return codes.Unavailable
	case connector.SourceData:
		return codes.DataLoss
	case connector.System:
		return codes.Internal
	}
	return codes.Internal // an unknown class is a bug in the connector, too
}

// failureStatus returns the status for a failure, with its details.
func failureStatus(code codes.Code, f *connectorv1.Failure) *status.Status {
	class := strings.TrimPrefix(f.GetClass().String(), "FAILURE_CLASS_")
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: class, Domain: errorDomain, Metadata: metadataOf(f)},
		f,
	}
	if len(f.GetViolations()) > 0 {
		details = append(details, badRequest(f.GetViolations()))
	}
	if f.GetRetryable() || f.GetRetryAfter() != nil {
		details = append(details, &errdetails.RetryInfo{RetryDelay: f.GetRetryAfter()})
	}
	plain := status.New(code, f.GetMessage())
	detailed, err := plain.WithDetails(details...)
	if err != nil {
		return plain
	}
	return detailed
}

// metadataOf returns the ErrorInfo metadata for a failure, for clients without our proto.
func metadataOf(f *connectorv1.Failure) map[string]string {
	metadata := map[string]string{}
	for key, value := range map[string]string{
		"stream": f.GetStream(), "account": f.GetAccount(), "request_id": f.GetRequestId(), "source_code": f.GetSourceCode(),
	} {
		if value != "" {
			metadata[key] = value
		}
	}
	if f.GetHttpStatus() != 0 {
		metadata["http_status"] = strconv.Itoa(int(f.GetHttpStatus()))
	}
	switch f.GetRefusedBy() {
	case connectorv1.RefusedBy_REFUSED_BY_SERVICE:
		metadata["refused_by"] = "service"
	case connectorv1.RefusedBy_REFUSED_BY_SOURCE:
		metadata["refused_by"] = "source"
	case connectorv1.RefusedBy_REFUSED_BY_UNSPECIFIED:
	}
	return metadata
}

func badRequest(violations []*connectorv1.FieldViolation) *errdetails.BadRequest {
	bad := &errdetails.BadRequest{}
	for _, v := range violations {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: v.GetField(), Description: v.GetDescription(),
		})
	}
	return bad
}

// sendError returns the error of a Read that could not send a message: a context error if the client is gone.
func sendError(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded: // the connection broke, and ctx is about to be done
		return context.Canceled
	}
	return fmt.Errorf("send to the client: %w", err)
}
