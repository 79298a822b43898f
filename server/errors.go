package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/stripe-connector/stripe-connector/connector"
)

// errorDomain is the domain of every ErrorInfo that this service sends.
const errorDomain = "connector.v1"

// toStatus makes the RPC error that err becomes. Whatever is neither a [connector.Failure] nor a context's error is a
// bug, and comes out as INTERNAL with a message that tells nothing of it.
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
	return failureStatus(codeOf(failure.Class), failure, hidden)
}

// codeOf gives the gRPC code of a class, as the service's comment in the proto promises.
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
	return codes.Internal // a class that does not exist is a bug of the connector too
}

// failureStatus makes the error for a failure, with all of its details.
func failureStatus(code codes.Code, f *connector.Failure, hidden secrets) error {
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: f.Class.String(), Domain: errorDomain, Metadata: metadataOf(f, hidden)},
		protoFailure(f, hidden),
	}
	if len(f.Violations) > 0 {
		details = append(details, badRequest(f.Violations, hidden))
	}
	if f.Retryable || f.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: protoDuration(f.RetryAfter)})
	}
	plain := status.New(code, hidden.clean(f.Message))
	detailed, err := plain.WithDetails(details...)
	if err != nil {
		return plain.Err()
	}
	return detailed.Err()
}

// metadataOf gives what a machine may want to know of a failure without our proto at hand.
func metadataOf(f *connector.Failure, hidden secrets) map[string]string {
	metadata := map[string]string{}
	for key, value := range map[string]string{
		"stream": f.Stream, "account": f.Account, "request_id": f.RequestID, "source_code": f.SourceCode,
	} {
		if value != "" {
			metadata[key] = hidden.clean(value)
		}
	}
	if f.HTTPStatus != 0 {
		metadata["http_status"] = strconv.Itoa(f.HTTPStatus)
	}
	return metadata
}

func badRequest(violations []connector.Violation, hidden secrets) *errdetails.BadRequest {
	bad := &errdetails.BadRequest{}
	for _, v := range violations {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: hidden.clean(v.Field), Description: hidden.clean(v.Description),
		})
	}
	return bad
}

// sendError tells a client that is gone from a message that gRPC would not send.
func sendError(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded: // the connection broke, and ctx learns of it next
		return context.Canceled
	}
	return fmt.Errorf("send to the client: %w", err)
}
