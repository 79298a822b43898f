package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Error is the error of a call. It wraps the protocol's Failure, which says what is wrong and how to fix
// it.
type Error struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Failure is the Failure that the service sent, or one derived from the code if it sent none. It is never nil.
	Failure *connectorv1.Failure
}

// Error returns the message for the user, followed by the invalid fields, if any.
func (e *Error) Error() string {
	parts := []string{e.Failure.GetMessage()}
	for _, v := range e.Failure.GetViolations() {
		if !strings.Contains(parts[0], v.GetDescription()) {
			parts = append(parts, v.GetField()+": "+v.GetDescription())
		}
	}
	return strings.Join(parts, "; ")
}

// Retryable reports whether the same call may succeed later without any change.
func (e *Error) Retryable() bool { return e.Failure.GetRetryable() }

// RetryAfter returns how long to wait before a retry. Zero means that the caller decides.
func (e *Error) RetryAfter() time.Duration { return e.Failure.GetRetryAfter().AsDuration() }

// asError converts the error of a call to an *Error. It returns the context's own errors unchanged.
func asError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	st := status.Convert(err)
	for _, d := range st.Details() {
		if f, ok := d.(*connectorv1.Failure); ok {
			return &Error{Code: st.Code(), Failure: f}
		}
	}
	return &Error{Code: st.Code(), Failure: failureOf(st)}
}

// failureOf returns a Failure for a status without one, which may come from a proxy, from gRPC itself, or from
// another implementation of the protocol.
func failureOf(st *status.Status) *connectorv1.Failure {
	f := &connectorv1.Failure{
		Class:           classOf(st.Code()),
		Message:         messageOf(st),
		InternalMessage: st.Message(),
		Retryable:       isRetryable(st.Code()),
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				f.Violations = append(f.Violations,
					&connectorv1.FieldViolation{Field: v.GetField(), Description: v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			f.RetryAfter, f.Retryable = d.GetRetryDelay(), true
		}
	}
	return f
}

// classOf returns the class that the protocol assigns to a code.
func classOf(code codes.Code) connectorv1.FailureClass {
	switch code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.NotFound, codes.OutOfRange, codes.Unimplemented:
		return connectorv1.FailureClass_FAILURE_CLASS_CONFIG
	case codes.Unauthenticated:
		return connectorv1.FailureClass_FAILURE_CLASS_AUTH
	case codes.PermissionDenied:
		return connectorv1.FailureClass_FAILURE_CLASS_PERMISSION
	case codes.ResourceExhausted:
		return connectorv1.FailureClass_FAILURE_CLASS_RATE_LIMIT
	case codes.DataLoss:
		return connectorv1.FailureClass_FAILURE_CLASS_SOURCE_DATA
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.Aborted:
		return connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT
	}
	return connectorv1.FailureClass_FAILURE_CLASS_SYSTEM
}

// isRetryable reports whether to retry after a status without a Failure. The service always sends a Failure, so the
// cause is between it and the client: a broken connection or a proxy, which result in one of these codes.
func isRetryable(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}

// messageOf returns a message for a status without a Failure. The message says what to do.
func messageOf(st *status.Status) string {
	switch st.Code() {
	case codes.Unavailable:
		return unreachable(innermost(st.Message()))
	case codes.Unimplemented:
		return fmt.Sprintf("The target is not a connector service of this protocol (%s). Check the target.", st.Message())
	case codes.ResourceExhausted:
		return fmt.Sprintf("A limit was reached: %s.", strings.TrimSuffix(st.Message(), "."))
	}
	return fmt.Sprintf("The call failed with %s: %s.", st.Code(), strings.TrimSuffix(st.Message(), "."))
}

// unreachable returns a message that says why a connection failed and what to do about it. why is the innermost
// error.
func unreachable(why string) string {
	for _, known := range []struct{ sign, advice string }{
		{"first record does not look like a TLS handshake", "The service does not use TLS, which is required for targets on other machines. " +
			"Serve with a certificate."},
		{"certificate signed by unknown authority", "The service's certificate is not signed by an authority that this machine trusts (%s). " +
			"Name the file of its authority with --ca-file."},
		{"certificate is not trusted", "The service's certificate is not signed by an authority that this machine trusts (%s). " +
			"Name the file of its authority with --ca-file."},
		{"certificate is valid for", "The service's certificate is for another name (%s). Use the name in the certificate as target."},
		{"doesn't contain any IP SANs", "The service's certificate names no IP address (%s). Use the name in the certificate as target."},
		{"certificate required", "The service requires a client certificate. Set one with --cert-file and --key-file."},
		{"bad certificate", "The service refused the client certificate (%s). Set one from an authority that it trusts with --cert-file and --key-file."},
		{"unknown certificate authority", "The service refused the client certificate (%s). Set one from an authority that it trusts with --cert-file and --key-file."},
		{"has expired or is not yet valid", "The certificate has expired or is not valid yet (%s). Renew it, or correct the clock."},
		{"error reading server preface", "The service closed the connection at once. It may expect TLS, with its authorities named by --ca-file, " +
			"or a client certificate, given with --cert-file and --key-file."},
		{"broken pipe", "The service closed the connection (%s). Check whether it expects TLS, with its authorities named by --ca-file, " +
			"or a client certificate, given with --cert-file and --key-file."},
		{"connection reset", "The service closed the connection (%s). Check that it is running, and whether it expects TLS, with its authorities " +
			"named by --ca-file, or a client certificate, given with --cert-file and --key-file."},
		{"no such host", "The target's host name can't be resolved (%s). Check the target."},
	} {
		if !strings.Contains(why, known.sign) {
			continue
		}
		if strings.Contains(known.advice, "%s") {
			return fmt.Sprintf(known.advice, why)
		}
		return known.advice
	}
	return fmt.Sprintf("The service cannot be reached (%s). Check that it is running and that the target is correct.", why)
}

// innermost returns the innermost error message, without the layers that gRPC wraps around it.
func innermost(message string) string {
	if i := strings.LastIndex(message, "desc = "); i >= 0 {
		message = message[i+len("desc = "):]
	}
	return strings.TrimPrefix(strings.Trim(message, `"`), "transport: Error while dialing: ")
}
