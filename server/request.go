package server

import (
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// parseRead converts a request, or returns a failure that lists all violations: invalid values, and options that the source
// does not support according to its Spec. Options are never silently ignored.
func parseRead(req *connectorv1.ReadRequest, spec connector.Spec) (connector.ReadRequest, error) {
	p := &readParser{spec: spec, selected: map[string]bool{}}
	p.rejectUnknown("", req.ProtoReflect())
	read := connector.ReadRequest{
		Config:  connector.NewConfig(p.object("config", req.GetConfig())),
		Streams: p.streams(req.GetStreams()),
		States:  p.states(req.GetStates()),

		AcceptedOperations: p.operations(req.GetAcceptedOperations()),
	}
	p.enum("record_format", req.GetRecordFormat())
	p.follow(req, &read)
	p.bounds(req, &read)
	p.order(req, &read)
	return read, p.err()
}

// readParser parses a ReadRequest for a source with the given Spec.
type readParser struct {
	parser
	spec     connector.Spec
	selected map[string]bool // the streams of the request
}

// require adds a violation if an option is used that the source does not support. does is a verb phrase that completes "this build
// does not".
func (p *readParser) require(capability connector.Capability, used bool, field, does string) {
	if used && !slices.Contains(p.spec.Capabilities, capability) {
		p.add(field, "this build does not "+does+": leave it unset")
	}
}

func (p *readParser) streams(streams []*connectorv1.ConfiguredStream) []connector.ConfiguredStream {
	if len(streams) == 0 {
		p.add("streams", "must name at least one stream")
	}
	if !p.isShort("streams", len(streams)) {
		return nil
	}
	configured := make([]connector.ConfiguredStream, 0, len(streams))
	for i, stream := range streams {
		path := index("streams", i)
		p.streamName(path+".stream", stream.GetStream(), p.selected)
		p.require(connector.FieldSelection, len(stream.GetFields()) > 0, path+".fields", "select fields")
		p.isShort(path+".fields", len(stream.GetFields()))
		for j, field := range stream.GetFields()[:min(len(stream.GetFields()), maxMembers)] {
			if field == "" {
				p.add(index(path+".fields", j), "must be the path of a field")
			}
		}
		configured = append(configured, connector.ConfiguredStream{
			Stream:   stream.GetStream(),
			SyncMode: p.syncMode(path+".sync_mode", stream.GetSyncMode()),
			Fields:   stream.GetFields(),
		})
	}
	return configured
}

func (p *readParser) syncMode(field string, requested connectorv1.SyncMode) connector.SyncMode {
	before := p.wrong
	p.enum(field, requested)
	mode := connector.SyncMode(requested)
	if requested == connectorv1.SyncMode_SYNC_MODE_UNSPECIFIED {
		mode = connector.FullRefresh
	}
	if p.wrong == before && !slices.Contains(p.spec.SyncModes, mode) {
		p.add(field, "this build does not read "+mode.String()+": choose one of Spec's supported_sync_modes")
	}
	return mode
}

// states parses states strictly: silently ignoring one would cause a full read.
func (p *readParser) states(states []*connectorv1.StreamState) []connector.StreamState {
	type owner struct{ stream, account string }
	seen := make(map[owner]bool, len(states))
	parsed := make([]connector.StreamState, 0, len(states))
	for i, state := range states {
		path := index("states", i)
		of := owner{state.GetStream(), state.GetAccount()}
		switch {
		case !p.selected[of.stream]:
			p.add(path+".stream", "is not among the streams of this request: select it, or omit its state")
		case seen[of]:
			p.add(path+".stream", "has more than one state: send only the last one of each stream and account")
		}
		seen[of] = true
		if state.GetContent() == nil {
			p.add(path+".content", "must be set: to read from the beginning, omit the entire entry")
		}
		parsed = append(parsed, connector.StreamState{
			Stream: of.stream, Account: of.account, State: p.object(path+".content", state.GetContent()),
		})
	}
	return parsed
}

// operations parses the operations that the caller accepts.
func (p *readParser) operations(accepted []connectorv1.Operation) []connector.Operation {
	if !p.isShort("accepted_operations", len(accepted)) {
		return nil
	}
	for i, operation := range accepted {
		if operation == connectorv1.Operation_OPERATION_UNSPECIFIED {
			p.add(index("accepted_operations", i), "must name an operation: to accept all, leave the list empty")
		}
		p.enum(index("accepted_operations", i), operation)
	}
	if len(accepted) > 0 && !slices.Contains(accepted, connectorv1.Operation_OPERATION_UPSERT) {
		p.add("accepted_operations", "must contain OPERATION_UPSERT, or nothing would be read: to accept all, leave the list empty")
	}
	return enums[connector.Operation](accepted)
}

func (p *readParser) follow(req *connectorv1.ReadRequest, read *connector.ReadRequest) {
	p.require(connector.Follow, req.GetFollow(), "follow", "follow changes")
	read.Follow = req.GetFollow()
	read.FollowInterval = p.duration("follow_interval", req.GetFollowInterval())
}

// bounds parses the options that limit a Read.
func (p *readParser) bounds(req *connectorv1.ReadRequest, read *connector.ReadRequest) {
	span := req.GetTimeRange()
	bounded := span.GetFrom() != nil || span.GetTo() != nil
	p.require(connector.TimeRangeLimit, bounded, "time_range", "read a range of time")
	read.From = p.second("time_range.from", span.GetFrom())
	read.To = p.second("time_range.to", span.GetTo())
	if !read.From.IsZero() && !read.To.IsZero() && !read.To.After(read.From) {
		p.add("time_range.to", "must be after time_range.from")
	}

	p.require(connector.RecordLimit, req.GetRecordLimit() > 0, "record_limit", "limit records")
	p.notNegative("record_limit", req.GetRecordLimit())
	read.RecordLimit = req.GetRecordLimit()

	p.require(connector.SoftDeadline, req.GetSoftDeadline() != nil, "soft_deadline", "stop by a soft deadline")
	read.SoftDeadline = p.duration("soft_deadline", req.GetSoftDeadline())
	if req.GetSoftDeadline() != nil && read.SoftDeadline == 0 {
		p.add("soft_deadline", "must be a positive duration: leave it unset for no limit")
	}
}

// order parses the priority, the checkpoint policy, and whether to reconcile.
func (p *readParser) order(req *connectorv1.ReadRequest, read *connector.ReadRequest) {
	p.enum("priority", req.GetPriority())
	read.NewestFirst = req.GetPriority() == connectorv1.Priority_PRIORITY_NEWEST_FIRST
	p.require(connector.PriorityOrder, read.NewestFirst, "priority", "order a backfill")

	policy := req.GetCheckpointPolicy()
	p.notNegative("checkpoint_policy.max_pages", int64(policy.GetMaxPages()))
	read.CheckpointPages = int(policy.GetMaxPages())
	read.CheckpointInterval = p.duration("checkpoint_policy.max_interval", policy.GetMaxInterval())
	p.require(connector.Checkpoints, read.CheckpointPages > 0 || read.CheckpointInterval > 0,
		"checkpoint_policy", "take a checkpoint policy")

	p.require(connector.Reconcile, req.GetReconcile(), "reconcile", "reconcile")
	read.Reconcile = req.GetReconcile()
}
