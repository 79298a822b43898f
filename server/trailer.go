package server

import (
	"context"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	// failureTrailer is the trailer with an error's serialized Failure, for clients without the google.rpc types.
	failureTrailer = "connector-failure-bin"
	// maxTrailer is the maximum size that an error adds to a call's trailers. gRPC for Java rejects metadata of more than
	// 8 KiB in total, and gRPC C-core, which Python and Ruby use, may do so.
	maxTrailer = 7 << 10
	// shortText is the length in bytes to which texts are cut if the trailers are too large.
	shortText = 512
)

// fit returns the status for a failure. If its trailers would exceed maxTrailer, fit first shortens long texts and then
// drops violations from the end. The message still counts them; see [connector.Invalid].
func fit(code codes.Code, f *connectorv1.Failure) *status.Status {
	for {
		st := failureStatus(code, f)
		if trailerSize(st, f) <= maxTrailer {
			return st
		}
		switch violations := f.GetViolations(); {
		case len(f.GetInternalMessage()) > shortText:
			f.InternalMessage = cutText(f.GetInternalMessage())
		case len(f.GetMessage()) > shortText:
			f.Message = cutText(f.GetMessage())
		case len(violations) > 1:
			f.Violations = violations[:len(violations)-1]
		case len(violations) == 1 && len(violations[0].GetDescription()) > shortText:
			violations[0].Description = cutText(violations[0].GetDescription())
		default: // not expected: the stream, account, or an id is longer than a KB
			return status.New(code, cutText(f.GetMessage()))
		}
	}
}

// trailerSize returns the encoded size of the trailers grpc-message, grpc-status-details-bin, and connector-failure-bin.
func trailerSize(st *status.Status, f *connectorv1.Failure) int {
	message := 0
	for _, b := range []byte(st.Message()) {
		message++
		if b < ' ' || b > '~' || b == '%' {
			message += 2 // as %XX
		}
	}
	return message + base64.RawStdEncoding.EncodedLen(proto.Size(st.Proto())) + base64.RawStdEncoding.EncodedLen(proto.Size(f))
}

// cutText shortens text to at most shortText bytes, including an ellipsis.
func cutText(text string) string {
	const ellipsis = "…"
	if len(text) <= shortText {
		return text
	}
	size := shortText - len(ellipsis)
	for !utf8.RuneStart(text[size]) {
		size--
	}
	return strings.TrimRight(text[:size], " ") + ellipsis
}

// failureTrailers returns the trailer for an error with a Failure in its details, or nil.
func failureTrailers(err error) metadata.MD {
	for _, detail := range status.Convert(err).Details() {
		if f, ok := detail.(*connectorv1.Failure); ok {
			if encoded, err := proto.Marshal(f); err == nil {
				return metadata.Pairs(failureTrailer, string(encoded))
			}
		}
	}
	return nil
}

// trailUnary and trailStream are the interceptors that add failureTrailer to calls that fail.
func trailUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	resp, err := handle(ctx, req)
	if err != nil {
		_ = grpc.SetTrailer(ctx, failureTrailers(err)) // fails only outside of a call
	}
	return resp, err
}

func trailStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := handle(srv, stream)
	if err != nil {
		stream.SetTrailer(failureTrailers(err))
	}
	return err
}
