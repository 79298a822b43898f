package server

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// rawCall calls a method without the generated client, and returns the trailers and the error.
func rawCall(t *testing.T, conn *grpc.ClientConn, method string, req proto.Message) (metadata.MD, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path := "/connector.v1.ConnectorService/" + method
	if method != "Read" {
		var trailer metadata.MD
		err := conn.Invoke(ctx, path, req, &emptypb.Empty{}, grpc.Trailer(&trailer))
		return trailer, err
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(req); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = stream.RecvMsg(&emptypb.Empty{})
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return stream.Trailer(), err
}

func TestFailureTrailer(t *testing.T) {
	auth := &connector.Failure{Class: connector.AuthError, Message: "Replace the key.", HTTPStatus: 401}
	source := &fakeSource{
		check: func(context.Context, connector.CheckRequest) (connector.CheckResult, error) { panic("broken") },
		discover: func(context.Context, connector.DiscoverRequest) (connector.Catalog, error) {
			return connector.Catalog{}, auth
		},
		read: func(context.Context, connector.ReadRequest, connector.Sink) (connector.Summary, error) {
			return connector.Summary{}, auth
		},
	}
	f := start(t, source, Options{})
	bySource := &connectorv1.Failure{
		Class: connectorv1.FailureClass_FAILURE_CLASS_AUTH, Message: "Replace the key.", HttpStatus: 401,
		RefusedBy: connectorv1.RefusedBy_REFUSED_BY_SOURCE,
	}
	tests := map[string]struct {
		method string
		req    proto.Message
		want   *connectorv1.Failure // nil: compare with the failure in the details
	}{
		"unary":                     {"Discover", &connectorv1.DiscoverRequest{}, bySource},
		"stream":                    {"Read", charges(), bySource},
		"panic":                     {"Check", &connectorv1.CheckRequest{}, nil},
		"wrong field of a unary":    {"Check", &connectorv1.CheckRequest{Streams: []string{""}}, nil},
		"wrong fields of a request": {"Read", &connectorv1.ReadRequest{RecordLimit: -1}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trailer, err := rawCall(t, f.conn, test.method, test.req)
			values := trailer.Get("connector-failure-bin")
			if len(values) != 1 {
				t.Fatalf("trailers %v, error %v", trailer, err)
			}
			got := &connectorv1.Failure{}
			if err := proto.Unmarshal([]byte(values[0]), got); err != nil {
				t.Fatal(err)
			}
			if test.want == nil {
				test.want = detailsOf(t, err).failure
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("failure (-want +got):\n%s", diff)
			}
			if got.GetMessage() != status.Convert(err).Message() {
				t.Errorf("message %q, status %v", got.GetMessage(), err)
			}
		})
	}
	if trailer, err := rawCall(t, f.conn, "Spec", &connectorv1.SpecRequest{}); err != nil || len(trailer.Get("connector-failure-bin")) > 0 {
		t.Errorf("a call that succeeds: trailers %v, error %v", trailer, err)
	}
}

// TestErrorsFitIntoTrailers has a client that accepts at most 8 KiB of metadata, like gRPC for Java.
func TestErrorsFitIntoTrailers(t *testing.T) {
	long := strings.Repeat("50 % of ä ", 1000)
	many := make([]connector.Violation, 100)
	for i := range many {
		many[i] = connector.Violation{Field: index("streams", i), Description: "is " + long[:200]}
	}
	tests := map[string]*connector.Failure{
		"long texts":      {Class: connector.Transient, Message: long, Internal: long, Retryable: true, RetryAfter: time.Second},
		"many violations": connector.Invalid(many...),
		"one violation":   connector.Invalid(connector.Violation{Field: "config", Description: long}),
		"long names": {
			Class: connector.SourceData, Message: long, Internal: long, Stream: long, Account: long, RequestID: long, SourceCode: long,
		},
	}
	for name, failure := range tests {
		t.Run(name, func(t *testing.T) {
			source := &fakeSource{read: func(context.Context, connector.ReadRequest, connector.Sink) (connector.Summary, error) {
				return connector.Summary{}, failure
			}}
			f := start(t, source, Options{}, grpc.WithMaxHeaderListSize(8<<10))
			trailer, err := rawCall(t, f.conn, "Read", charges())
			st := status.Convert(err)
			if st.Code() != codeOf(failure.Class) || len(st.Message()) < 100 || !utf8.ValidString(st.Message()) {
				t.Errorf("got %v", err)
			}
			if name == "long names" {
				return // longer than any source's: only the code and the message remain
			}
			if d := detailsOf(t, err); d.failure == nil || d.info == nil || len(trailer.Get("connector-failure-bin")) != 1 ||
				len(failure.Violations) > 0 && len(d.fields()) < min(len(failure.Violations), 3) {
				t.Errorf("details %+v, trailers %v", d, trailer)
			}
		})
	}
}

// TestRefusedBy checks that refusals by the service are distinguished from refusals by the source.
func TestRefusedBy(t *testing.T) {
	const service, source = connectorv1.RefusedBy_REFUSED_BY_SERVICE, connectorv1.RefusedBy_REFUSED_BY_SOURCE
	tests := map[string]struct {
		err  error
		want connectorv1.RefusedBy
		word string
	}{
		"token":                   {refuse("This service asks for a token."), service, "service"},
		"too many Reads":          {toStatus(tooManyReads("This server runs 3."), secrets{}), service, "service"},
		"key":                     {toStatus(&connector.Failure{Class: connector.AuthError}, secrets{}), source, "source"},
		"permission":              {toStatus(&connector.Failure{Class: connector.PermissionError}, secrets{}), source, "source"},
		"the source's rate limit": {toStatus(&connector.Failure{Class: connector.RateLimit}, secrets{}), source, "source"},
		"no refusal":              {toStatus(&connector.Failure{Class: connector.Transient}, secrets{}), 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := detailsOf(t, test.err)
			if got := d.failure.GetRefusedBy(); got != test.want {
				t.Errorf("refused by %s, want %s", got, test.want)
			}
			if got := d.info.GetMetadata()["refused_by"]; got != test.word {
				t.Errorf("refused_by is %q, want %q", got, test.word)
			}
		})
	}
	if got := status.Code(refuse("")); got != codes.Unauthenticated {
		t.Errorf("a token refused is %s", got)
	}
}
