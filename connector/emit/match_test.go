package emit_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
)

func TestMatch(t *testing.T) {
	catalog := []connector.Stream{
		{Name: "a", SyncModes: []connector.SyncMode{connector.FullRefresh, connector.Incremental}},
		{Name: "b", SyncModes: []connector.SyncMode{connector.FullRefresh}},
	}
	streams := func(names ...string) (all []connector.ConfiguredStream) {
		for _, name := range names {
			all = append(all, connector.ConfiguredStream{Stream: name, SyncMode: connector.FullRefresh})
		}
		return all
	}
	state := func(stream, account, content string) connector.StreamState {
		return connector.StreamState{Stream: stream, Account: account, State: json.RawMessage(content)}
	}
	for name, test := range map[string]struct {
		streams []connector.ConfiguredStream
		states  []connector.StreamState
		wrong   []string // fields
	}{
		"fine":      {streams("b", "a"), []connector.StreamState{state("a", "acct_1", "7")}, nil},
		"nothing":   {nil, nil, []string{"streams"}},
		"unknown":   {streams("a", "c", "d"), nil, []string{"streams[1].stream", "streams[2].stream"}},
		"twice":     {streams("a", "a"), nil, []string{"streams[1].stream"}},
		"mode":      {[]connector.ConfiguredStream{{Stream: "b", SyncMode: connector.Incremental}}, nil, []string{"streams[0].sync_mode"}},
		"not asked": {streams("a"), []connector.StreamState{state("b", "acct_1", "7")}, []string{"states[0].stream"}},
		"account":   {streams("a"), []connector.StreamState{state("a", "", "7")}, []string{"states[0].account"}},
		"two states": {
			streams("a"), []connector.StreamState{state("a", "acct_1", "7"), state("a", "acct_1", "8")}, []string{"states[1].stream"},
		},
		"nonsense": {streams("a"), []connector.StreamState{state("a", "acct_1", `"x"`)}, []string{"states[0].content"}},
		"all of it": {
			streams("a", "c"), []connector.StreamState{state("c", "acct_1", "7"), state("a", "acct_1", "{")}, []string{"streams[1].stream", "states[0].stream", "states[1].content"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			requested, err := emit.Match(connector.ReadRequest{Streams: test.streams, States: test.states}, catalog, "acct_1", func(text json.RawMessage) (n int, ok bool) {
				return n, json.Unmarshal(text, &n) == nil
			})
			var wrong []string
			if f, ok := errors.AsType[*connector.Failure](err); ok {
				for _, v := range f.Violations {
					wrong = append(wrong, v.Field)
				}
			}
			if diff := cmp.Diff(test.wrong, wrong); diff != "" {
				t.Errorf("the fields that are wrong (-want +got):\n%s", diff)
			}
			if test.wrong != nil {
				return
			}
			want := []emit.Matched[int]{
				{Stream: catalog[1], SyncMode: connector.FullRefresh},
				{Stream: catalog[0], SyncMode: connector.FullRefresh, Given: json.RawMessage("7"), State: 7},
			}
			if diff := cmp.Diff(want, requested); diff != "" {
				t.Errorf("streams (-want +got):\n%s", diff)
			}
		})
	}
}
