package server

import (
	"context"
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Discover returns the source's streams and their schemas.
func (s *service) Discover(
	ctx context.Context, req *connectorv1.DiscoverRequest,
) (_ *connectorv1.DiscoverResponse, err error) {
	defer func(began time.Time) { s.audit(ctx, began, &auditRecord{method: "Discover"}, err) }(time.Now())
	config, err := s.resolve(ctx, req.GetConfig())
	hidden := s.secretsOf(config)
	if err != nil {
		return nil, toStatus(err, hidden)
	}
	req.Config = config
	response, err := s.discover(ctx, req, hidden)
	if err != nil {
		return nil, toStatus(err, hidden)
	}
	return response, nil
}

func (s *service) discover(
	ctx context.Context, req *connectorv1.DiscoverRequest, hidden secrets,
) (*connectorv1.DiscoverResponse, error) {
	var p parser
	p.rejectUnknown("", req.ProtoReflect())
	discover := connector.DiscoverRequest{
		Config:             connector.NewConfig(p.object("config", req.GetConfig())),
		OnlyAvailable:      req.GetOnlyAvailable(),
		IncludeUnavailable: req.GetIncludeUnavailable(),
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	callOf(ctx).setAccount(s.identify(discover.Config))
	catalog, err := s.source.Discover(ctx, discover)
	if err != nil {
		return nil, err
	}
	response := &connectorv1.DiscoverResponse{}
	for _, stream := range catalog.Streams {
		converted, err := s.protoStream(stream, hidden)
		if err != nil {
			return nil, err
		}
		response.Streams = append(response.Streams, converted)
	}
	return response, nil
}

func (s *service) protoStream(stream connector.Stream, hidden secrets) (*connectorv1.Stream, error) {
	schema, err := s.schemas.message(stream.Name, stream.JSONSchema)
	if err != nil {
		return nil, fmt.Errorf("convert the schema of stream %s: %w", stream.Name, err)
	}
	converted := &connectorv1.Stream{
		Name:               stream.Name,
		Description:        stream.Description,
		JsonSchema:         schema,
		PrimaryKey:         stream.PrimaryKey,
		CursorField:        stream.CursorField,
		ParentField:        stream.ParentField,
		SupportedSyncModes: enums[connectorv1.SyncMode](stream.SyncModes),
		Freshness:          connectorv1.Freshness(stream.Freshness),
		EmitsDeletes:       stream.EmitsDeletes,
		Parent:             stream.Parent,
		Permission:         stream.Permission,
		DocumentationUrl:   stream.DocumentationURL,
		Availability:       connectorv1.Availability(stream.Availability),
		UnavailableReason:  protoFailure(stream.Unavailable, hidden),
	}
	for _, relation := range stream.Relations {
		converted.Relations = append(converted.Relations, &connectorv1.Relation{
			Field: relation.Field, Stream: relation.Stream, ForeignField: relation.ForeignField,
		})
	}
	return converted, nil
}
