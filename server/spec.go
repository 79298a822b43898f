package server

import (
	"context"
	"fmt"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Spec returns the schema of the configuration and the capabilities of the connector.
func (s *service) Spec(_ context.Context, req *connectorv1.SpecRequest) (*connectorv1.SpecResponse, error) {
	var p parser
	p.rejectUnknown("", req.ProtoReflect())
	if err := p.err(); err != nil {
		return nil, toStatus(err, secrets{})
	}
	schema, err := structFromJSON(s.spec.ConfigSchema)
	if err != nil {
		return nil, toStatus(fmt.Errorf("convert the schema of the configuration: %w", err), secrets{})
	}
	return &connectorv1.SpecResponse{
		Source:             s.spec.Source,
		Version:            s.opts.Version,
		ConfigSchema:       schema,
		DocumentationUrl:   s.spec.DocumentationURL,
		SupportedSyncModes: enums[connectorv1.SyncMode](s.spec.SyncModes),
		Capabilities:       enums[connectorv1.Capability](s.spec.Capabilities),
	}, nil
}
