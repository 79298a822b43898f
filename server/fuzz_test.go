package server

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
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

// FuzzTokens checks that a token file is either refused, without quoting it, or admits exactly the tokens in it, whatever
// authorization a call sends.
func FuzzTokens(f *testing.F) {
	for _, seed := range [][2]string{
		{firstToken + "\n", "Bearer " + firstToken},
		{"# comment\n" + firstToken + " caller=billing stripe-prod\r\n\n" + secondToken, "bearer " + secondToken},
		{firstToken + " caller=a caller=b\n", "Basic " + firstToken}, {"short\n", "Bearer short"}, {firstToken + " ../x", "Bearer"},
		{"\xff" + firstToken, "Bearer \xff" + firstToken}, {firstToken + "\v" + secondToken, "Bearer " + firstToken + " " + secondToken},
	} {
		f.Add([]byte(seed[0]), seed[1])
	}
	f.Fuzz(func(t *testing.T, file []byte, authorization string) {
		var words []string // the first of each line
		var all []string
		for line := range strings.Lines(string(file)) {
			fields := strings.Fields(line)
			if len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
				words = append(words, fields[0])
			}
			all = append(all, fields...)
		}
		parsed, err := parseTokens([][]byte{file})
		if err != nil {
			for _, word := range all {
				if len(word) >= shortestToken && strings.Contains(err.Error(), word) {
					t.Fatalf("the error repeats the file: %v", err)
				}
			}
			return
		}
		if len(parsed) != len(words) {
			t.Fatalf("%d tokens, want %d", len(parsed), len(words))
		}
		later := time.Now().Add(time.Hour) // the files are not re-read
		tokens := &Tokens{&reloaded[[]token]{value: parsed, looked: later, good: later}}
		caller, err := tokens.authenticate(metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", authorization)))
		scheme, sent, _ := strings.Cut(authorization, " ")
		if want := strings.EqualFold(scheme, "bearer") && slices.Contains(words, sent); (err == nil) != want {
			t.Fatalf("%q admitted: %t, want %t: %v", authorization, err == nil, want, err)
		}
		if err == nil && caller.name == "" || err != nil && len(sent) >= shortestToken && strings.Contains(err.Error(), sent) {
			t.Fatalf("caller %+v, %v", caller, err)
		}
		for _, p := range parsed {
			for _, name := range p.secrets {
				if !secretName.MatchString(name) {
					t.Fatalf("the token may use the secret %q", name)
				}
			}
		}
	})
}

// shortestToken is the minimum length of a token.
const shortestToken = 16
