package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func TestParseStates(t *testing.T) {
	state := func(stream, account string, n float64) *connectorv1.StreamState {
		return &connectorv1.StreamState{Stream: stream, Account: account, Content: &structpb.Struct{
			Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(n)}}}
	}
	const one, two = `{"stream":"a","content":{"n":1}}`, `{"stream":"a","content":{"n":2}}`
	tests := map[string]struct {
		content string
		want    []*connectorv1.StreamState
	}{
		"nothing":    {"", nil},
		"one":        {one, []*connectorv1.StreamState{state("a", "", 1)}},
		"a list":     {`[` + one + `,{"stream":"b","account":"acct","content":{"n":3}}]`, []*connectorv1.StreamState{state("a", "", 1), state("b", "acct", 3)}},
		"an object":  {`{"states":[` + one + `]}`, []*connectorv1.StreamState{state("a", "", 1)}},
		"the last":   {one + "\n" + two, []*connectorv1.StreamState{state("a", "", 2)}},
		"by account": {one + `{"stream":"a","account":"x","content":{"n":2}}`, []*connectorv1.StreamState{state("a", "", 1), state("a", "x", 2)}},
		"read's output": {`{"records":{"stream":"a","records":[{"data":"{}"}]}}
			{"checkpoint":{"state":` + one + `,"records":"1"}}
			{"checkpoint":{"state":` + two + `}}
			{"summary":{}}`, []*connectorv1.StreamState{state("a", "", 2)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStates([]byte(test.content))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseCatalog(t *testing.T) {
	a := &connectorv1.ConfiguredStream{Stream: "a"}
	full := &connectorv1.ConfiguredStream{Stream: "a", Fields: []string{"id"}, SyncMode: connectorv1.SyncMode_SYNC_MODE_INCREMENTAL}
	const written = `{"stream":"a","sync_mode":"SYNC_MODE_INCREMENTAL","fields":["id"]}`
	tests := map[string]struct {
		content string
		want    *connectorv1.ConfiguredStream
	}{
		"output of discover": {`{"streams":[{"name":"a","jsonSchema":{}}]}`, a},
		"a list of those":    {`[{"name":"a"}]`, a},
		"one a line":         {`{"name":"a"}`, a},
		"configured":         {`{"streams":[` + written + `]}`, full},
		"a configured list":  {`[` + written + `]`, full},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseCatalog([]byte(test.content))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]*connectorv1.ConfiguredStream{test.want}, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	catalog := func(b []byte) error { _, err := parseCatalog(b); return err }
	states := func(b []byte) error { _, err := parseStates(b); return err }
	tests := map[string]struct {
		parse         func([]byte) error
		content, want string
	}{
		"empty catalog":   {catalog, "", "contains no stream"},
		"no streams":      {catalog, `{"streams":[]}`, "contains no stream"},
		"names":           {catalog, `["a"]`, "neither an object nor a list of objects"},
		"nameless":        {catalog, `[{}]`, `streams[0]: it names no stream. Write {"stream": "charges"}`},
		"unknown field":   {catalog, `[{"stream":"a","colour":1}]`, "streams[0]"},
		"cut catalog":     {catalog, `{"streams":[`, "is not valid JSON after byte"},
		"nonsense states": {states, `{"x":1}`, "neither a state"},
		"a number":        {states, `5`, "neither an object nor a list"},
		"state is text":   {states, `{"stream":"a","content":"x"}`, "states[0]"},
		"cut states":      {states, `{"stream":"a"`, "is not valid JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.parse([]byte(test.content))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
}
