package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// errDifferences is the error of a plan with differences, if the exit code should tell.
var errDifferences = errors.New("the schedules differ from the file")

// usageError is the error of an invalid command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode returns the exit code for the error of a command.
func exitCode(err error, args []string) int {
	_, usage := errors.AsType[usageError](err)
	// Who asks for detailed codes must not take a typing error for a difference.
	detailed := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--detailed-exitcode") })
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errDifferences), usage && !detailed:
		return 2
	}
	return 1
}

// misconfigured returns the error of a configuration that can't be read, with a remedy.
func misconfigured(err error) error {
	remedy := "check the variables TEMPORAL_*"
	switch text := err.Error(); {
	case strings.Contains(text, "client cert"):
		remedy = "check TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
	case strings.Contains(text, "server CA cert"):
		remedy = "check TEMPORAL_TLS_SERVER_CA_CERT_PATH"
	case strings.Contains(text, "profile"), strings.Contains(text, "config file"):
		remedy = "check TEMPORAL_PROFILE, and the file that TEMPORAL_CONFIG_FILE names"
	}
	return fmt.Errorf("read the configuration of the Temporal client: %w: %s", err, remedy)
}

// unreachable returns the error of a command whose connection to Temporal failed, with a remedy.
func unreachable(err error, o client.Options) error {
	remedy := "check that it runs there, or set --address or TEMPORAL_ADDRESS"
	_, refused := errors.AsType[*serviceerror.PermissionDenied](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	switch text := err.Error(); {
	case errors.Is(err, context.Canceled):
		return err
	case refused || strings.Contains(text, "Unauthenticated") || strings.Contains(text, "unauthorized"):
		remedy = "it rejects the credentials: check TEMPORAL_API_KEY, or TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
	case notTLS || strings.Contains(text, "first record does not look like a TLS handshake"):
		remedy = "it doesn't use TLS: set TEMPORAL_TLS=false"
	case strings.Contains(text, "certificate") || strings.Contains(text, "tls:"):
		remedy = "the TLS handshake failed: check TEMPORAL_TLS_SERVER_CA_CERT_PATH, TEMPORAL_TLS_SERVER_NAME and the client certificate"
	case strings.Contains(text, "error reading server preface") && o.ConnectionOptions.TLS == nil:
		remedy = "it may require TLS: set TEMPORAL_TLS=true"
	}
	return fmt.Errorf("connect to Temporal at %s: %w: %s", o.HostPort, err, remedy)
}

// withRemedy returns the error of a call to Temporal, with a remedy if it has a common cause.
func withRemedy(err error, namespace string) error {
	if _, missing := errors.AsType[*serviceerror.NamespaceNotFound](err); missing {
		return fmt.Errorf("%w: create the namespace with `temporal operator namespace create --namespace %s`, or set --namespace or TEMPORAL_NAMESPACE", err, namespace)
	}
	if _, refused := errors.AsType[*serviceerror.PermissionDenied](err); refused {
		return fmt.Errorf("%w: the credentials may not use the namespace %s", err, namespace)
	}
	return err
}
