package server

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestProtocolVersion(t *testing.T) {
	tests := map[string]struct {
		version string
		want    codes.Code
	}{
		"empty":         {"", codes.OK},
		"ours":          {"1.0", codes.OK},
		"newer minor":   {"1.17", codes.OK},
		"newer major":   {"2.0", codes.FailedPrecondition},
		"older major":   {"0.9", codes.FailedPrecondition},
		"no minor":      {"1", codes.InvalidArgument},
		"three parts":   {"1.0.0", codes.InvalidArgument},
		"negative":      {"-1.0", codes.InvalidArgument},
		"words":         {"latest", codes.InvalidArgument},
		"prefixed":      {"v1.0", codes.InvalidArgument},
		"empty minor":   {"1.", codes.InvalidArgument},
		"beyond a word": {"99999999999999999999.0", codes.InvalidArgument},
	}
	f := start(t, &fakeSource{}, Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, specErr := f.Spec(t.Context(), &connectorv1.SpecRequest{ProtocolVersion: test.version})
			_, checkErr := f.Check(t.Context(), &connectorv1.CheckRequest{ProtocolVersion: test.version})
			_, discoverErr := f.Discover(t.Context(), &connectorv1.DiscoverRequest{ProtocolVersion: test.version})
			read := charges()
			read.ProtocolVersion = test.version
			_, readErr := f.readAll(t, read)
			for rpc, err := range map[string]error{
				"Spec": specErr, "Check": checkErr, "Discover": discoverErr, "Read": readErr,
			} {
				if got := status.Code(err); got != test.want {
					t.Errorf("%s: %s, want %s", rpc, got, test.want)
				}
				if fields := detailsOf(t, err).fields(); err != nil && (len(fields) != 1 || fields[0] != "protocol_version") {
					t.Errorf("%s: violations of %v", rpc, fields)
				}
			}
		})
	}
}
