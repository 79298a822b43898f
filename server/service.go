package server

import (
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// drainRetryAfter is the retry delay sent to callers refused by a draining server.
const drainRetryAfter = time.Second

// service implements the RPCs.
type service struct {
	connectorv1.UnimplementedConnectorServiceServer

	source  connector.Source
	spec    connector.Spec
	opts    Options
	drain   <-chan struct{}
	schemas schemas
	schema  map[string]any // spec's ConfigSchema
	reads   admission
}

func newService(source connector.Source, opts Options, drain <-chan struct{}) *service {
	spec := source.Spec()
	return &service{
		source: source, spec: spec, opts: opts, drain: drain, schema: schemaOf(spec.ConfigSchema),
		reads: admission{maxReads: opts.MaxReads, maxPerAccount: opts.MaxReadsPerAccount},
	}
}

// identify returns the source's name for the account that config reads, or "" if the source is no [connector.Identifier].
func (s *service) identify(config connector.Config) string {
	if source, ok := s.source.(connector.Identifier); ok {
		return source.Identify(config)
	}
	return ""
}

// secretsOf returns the secrets to redact from the output of a call with this configuration.
func (s *service) secretsOf(config *structpb.Struct) secrets {
	return secretsOf(config, s.spec.ConfigSchema)
}

// checkDrain returns a Transient failure if the server is draining.
func (s *service) checkDrain() error {
	select {
	case <-s.drain:
		return &connector.Failure{
			Class:      connector.Transient,
			Message:    "This server is shutting down: resume on another server from the last state received.",
			Retryable:  true,
			RetryAfter: drainRetryAfter,
		}
	default:
		return nil
	}
}
