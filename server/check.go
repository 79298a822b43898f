package server

import (
	"context"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Check reports whether a configuration works. If it doesn't, the response lists the problems, and the error is nil.
func (s *service) Check(ctx context.Context, req *connectorv1.CheckRequest) (resp *connectorv1.CheckResponse, err error) {
	defer func(began time.Time) {
		s.audit(ctx, began, &auditRecord{method: "Check", streams: req.GetStreams()[:min(len(req.GetStreams()), maxMembers)]}, err)
	}(time.Now())
	config, unresolved := s.resolve(ctx, req.GetConfig())
	hidden := s.secretsOf(config)
	if unresolved != nil {
		return checkResponse(connector.CheckResult{Problems: []*connector.Failure{connector.AsFailure(unresolved)}}, hidden), nil
	}
	req.Config = config
	check, err := parseCheck(req)
	if err != nil {
		return nil, toStatus(err, hidden)
	}
	callOf(ctx).setAccount(s.identify(check.Config))
	result, err := s.source.Check(ctx, check)
	if err != nil {
		return nil, toStatus(err, hidden)
	}
	return checkResponse(result, hidden), nil
}

// parseCheck converts a request, or returns a failure that lists all violations.
func parseCheck(req *connectorv1.CheckRequest) (connector.CheckRequest, error) {
	var p parser
	p.rejectUnknown("", req.ProtoReflect())
	check := connector.CheckRequest{
		Config:  connector.NewConfig(p.object("config", req.GetConfig())),
		Streams: req.GetStreams(),
	}
	if !p.isShort("streams", len(check.Streams)) {
		return check, p.err()
	}
	seen := make(map[string]bool, len(check.Streams))
	for i, stream := range check.Streams {
		p.streamName(index("streams", i), stream, seen)
	}
	return check, p.err()
}

func checkResponse(result connector.CheckResult, hidden secrets) *connectorv1.CheckResponse {
	response := &connectorv1.CheckResponse{
		Status: connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED,
	}
	if len(result.Problems) > 0 {
		response.Status = connectorv1.CheckStatus_CHECK_STATUS_FAILED
		for _, problem := range result.Problems {
			response.Problems = append(response.Problems, protoFailure(problem, hidden))
		}
		return response
	}
	response.Account, response.AccountAttributes = hidden.clean(result.Account), hidden.cleanMap(result.AccountAttributes)
	for _, stream := range result.Streams {
		response.Streams = append(response.Streams, &connectorv1.StreamAvailability{
			Stream:       stream.Stream,
			Availability: connectorv1.Availability(stream.Availability),
			Reason:       protoFailure(stream.Reason, hidden),
		})
	}
	return response
}
