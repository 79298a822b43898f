package client

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestUnreachableSaysWhatToDo uses actual error messages of crypto/tls and gRPC.
func TestUnreachableSaysWhatToDo(t *testing.T) {
	const layers = `connection error: desc = "transport: authentication handshake failed: `
	for message, want := range map[string]string{
		layers + `tls: first record does not look like a TLS handshake"`:                                                                     "does not use TLS",
		layers + `tls: failed to verify certificate: x509: certificate signed by unknown authority"`:                                         "Name the file of its authority with --ca-file.",
		layers + `tls: failed to verify certificate: x509: certificate is valid for localhost, not connector.example.com"`:                   "Use the name in the certificate as target.",
		layers + `tls: failed to verify certificate: x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs"`: "names no IP address",
		layers + `tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2030"`:                  "Renew it, or correct the clock.",
		`connection error: desc = "error reading server preface: EOF"`:                                                                       "It may expect TLS, with its authorities named by --ca-file, or a client certificate",
		`connection error: desc = "error reading server preface: remote error: tls: certificate required"`:                                   "Set one with --cert-file and --key-file.",
		`connection error: desc = "error reading server preface: remote error: tls: bad certificate"`:                                        "refused the client certificate",
		`name resolver error: produced zero addresses: lookup nowhere.invalid: no such host`:                                                 "Check the target.",
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`:                       "Check that it is running and that the target is correct.",
	} {
		if got := messageOf(status.New(codes.Unavailable, message)); !strings.Contains(got, want) {
			t.Errorf("got %q of %q, want it with %q", got, message, want)
		}
	}
}
