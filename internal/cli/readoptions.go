package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// readOptions holds the flags of read that determine its request.
type readOptions struct {
	streams                []string
	catalogPath, statePath string
	mode, format           string
	follow, reconcile      bool
	interval               time.Duration
}

// request returns the request for these flags.
func (o *readOptions) request(a *app, config *structpb.Struct) (*connectorv1.ReadRequest, error) {
	format, err := constant(connectorv1.RecordFormat_value, "RECORD_FORMAT_", "--format", o.format)
	if err != nil {
		return nil, err
	}
	mode, err := constant(connectorv1.SyncMode_value, "SYNC_MODE_", "--sync-mode", o.mode)
	if err != nil {
		return nil, err
	}
	req := &connectorv1.ReadRequest{Config: config, RecordFormat: connectorv1.RecordFormat(format), Follow: o.follow, Reconcile: o.reconcile}
	if o.interval != 0 {
		req.FollowInterval = durationpb.New(o.interval)
	}
	for _, name := range o.streams {
		req.Streams = append(req.Streams, &connectorv1.ConfiguredStream{Stream: name})
	}
	if o.catalogPath != "" {
		content, err := a.readFile(o.catalogPath)
		if err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		if req.Streams, err = parseCatalog(content); err != nil {
			return nil, fmt.Errorf("the catalog in %s %w", o.catalogPath, err)
		}
	}
	for _, s := range req.GetStreams() {
		if s.GetSyncMode() == connectorv1.SyncMode_SYNC_MODE_UNSPECIFIED {
			s.SyncMode = connectorv1.SyncMode(mode)
		}
	}
	if o.statePath != "" {
		content, err := a.readFile(o.statePath)
		if err != nil {
			return nil, fmt.Errorf("read the states: %w", err)
		}
		states, err := parseStates(content)
		if err != nil {
			return nil, fmt.Errorf("the state in %s %w", o.statePath, err)
		}
		req.States = slices.DeleteFunc(states, func(state *connectorv1.StreamState) bool {
			return !slices.ContainsFunc(req.GetStreams(), func(s *connectorv1.ConfiguredStream) bool {
				return s.GetStream() == state.GetStream()
			})
		})
	}
	return req, nil
}

// constant returns the number of an enum constant, given its name in any case and without the prefix.
func constant(values map[string]int32, prefix, flag, name string) (int32, error) {
	if v, ok := values[prefix+strings.ToUpper(strings.TrimSpace(name))]; ok && v != 0 {
		return v, nil
	}
	known := make([]string, len(values)-1)
	for name, v := range values {
		if v > 0 {
			known[v-1] = strings.ToLower(strings.TrimPrefix(name, prefix))
		}
	}
	return 0, usageError{fmt.Errorf("%s must be %s, got %q", flag, strings.Join(known, " or "), name), "stripe-connector read"}
}
