package server

import (
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// drainRetryAfter is how long a caller that was refused by a draining server should wait before it tries another.
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
		reads: admission{most: opts.MaxReads, mostOfAccount: opts.MaxReadsPerAccount},
	}
}

// identify names the account that a configuration reads, if the source can tell.
func (s *service) identify(config connector.Config) string {
	if source, ok := s.source.(connector.Identifier); ok {
		return source.Identify(config)
	}
	return ""
}

// secretsOf collects what must not leave with a call that brought config.
func (s *service) secretsOf(config *structpb.Struct) secrets {
	return secretsOf(config, s.spec.ConfigSchema)
}

// checkDrain refuses new work while the server drains.
func (s *service) checkDrain() error {
	select {
	case <-s.drain:
		return &connector.Failure{
			Class:      connector.Transient,
			Message:    "This server is shutting down: read from another one, from the last state received.",
			Retryable:  true,
			RetryAfter: drainRetryAfter,
		}
	default:
		return nil
	}
}
