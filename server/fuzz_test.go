package server

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// FuzzReadRequest checks that any encoded request is either valid for the source, or refused with violations that name the
// fields and quote no value.
func FuzzReadRequest(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"streams": [{"stream": "charges"}]}`,
		`{"config": {"api_key": "planted_canary", "n": [1, null, {"a": "b"}]}, "streams": [{"stream": "a", "fields": ["b.c", ""]}, {"stream": "a"}]}`,
		`{"streams": [{"stream": "a", "sync_mode": 9}], "states": [{"stream": "a", "content": {"version": 1}}, {"stream": "b"}]}`,
		`{"streams": [{"stream": "a"}], "record_limit": "-1", "soft_deadline": "0s", "checkpoint_policy": {"max_pages": 3}, "priority": 1}`,
		`{"streams": [{"stream": "a"}], "time_range": {"from": "2024-01-01T00:00:00.5Z", "to": "2023-01-01T00:00:00Z"}, "follow_interval": "-1s", "accepted_operations": [1, 0, 9]}`,
	} {
		var request connectorv1.ReadRequest
		if err := protojson.Unmarshal([]byte(seed), &request); err != nil {
			f.Fatal(err)
		}
		wire, err := proto.Marshal(&request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	spec := connector.Spec{
		SyncModes: []connector.SyncMode{connector.FullRefresh},
		Capabilities: []connector.Capability{
			connector.FieldSelection, connector.TimeRangeLimit, connector.RecordLimit, connector.SoftDeadline, connector.Checkpoints,
		},
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var request connectorv1.ReadRequest
		if proto.Unmarshal(wire, &request) != nil {
			return // gRPC rejects it
		}
		read, err := parseRead(&request, spec)
		if err != nil {
			failure, ok := errors.AsType[*connector.Failure](err)
			if !ok || failure.Class != connector.ConfigError || len(failure.Violations) == 0 {
				t.Fatalf("got %#v", err)
			}
			if strings.Contains(err.Error(), "planted_canary") {
				t.Fatalf("the error repeats a value: %v", err)
			}
			return
		}
		if raw := read.Config.JSON(); raw != nil && !json.Valid(raw) {
			t.Fatalf("the configuration is %s", raw)
		}
		seen := map[string]bool{}
		for _, s := range read.Streams {
			if s.Stream == "" || seen[s.Stream] || s.SyncMode != connector.FullRefresh {
				t.Fatalf("the streams are %+v", read.Streams)
			}
			seen[s.Stream] = true
		}
		for _, s := range read.States {
			if !seen[s.Stream] || !json.Valid(s.State) {
				t.Fatalf("the states are %+v", read.States)
			}
		}
		if len(seen) == 0 || read.RecordLimit < 0 || read.SoftDeadline < 0 || read.CheckpointPages < 0 || read.FollowInterval < 0 || read.Follow || read.Reconcile {
			t.Fatalf("accepted %+v", read)
		}
	})
}
