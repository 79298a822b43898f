package emit

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Matched is a stream of a request, with its catalog entry and the state to resume from.
type Matched[State any] struct {
	connector.Stream
	SyncMode connector.SyncMode
	Fields   []string
	Given    json.RawMessage // the state in the request; nil means to start from the beginning
	State    State           // Given, parsed
}

// Match looks up the streams of a request in a catalog and parses their states. It returns the streams in the order of the
// request. account is the account that the source reads; empty for the key's own.
//
// The error is a *connector.Failure with a violation for each invalid field: a stream that isn't in the catalog or is named
// twice, a mode that the stream doesn't support, and a state of another stream or account or one that parse rejects.
func Match[State any](req connector.ReadRequest, catalog []connector.Stream, account string, parse func(json.RawMessage) (State, bool)) ([]Matched[State], error) {
	var all []Matched[State]
	var wrong []connector.Violation
	refuse := func(description, path string, args ...any) {
		wrong = append(wrong, connector.Violation{Field: fmt.Sprintf(path, args...), Description: description})
	}
	find := func(name string) int {
		return slices.IndexFunc(all, func(a Matched[State]) bool { return a.Name == name })
	}
	if len(req.Streams) == 0 {
		refuse("must name at least one stream", "streams")
	}
	for i, requested := range req.Streams {
		at := slices.IndexFunc(catalog, func(s connector.Stream) bool { return s.Name == requested.Stream })
		switch {
		case at < 0:
			refuse("must be a stream of the catalog", "streams[%d].stream", i)
			continue
		case find(requested.Stream) >= 0:
			refuse("must be named only once", "streams[%d].stream", i)
			continue
		case !slices.Contains(catalog[at].SyncModes, requested.SyncMode):
			refuse("must be a mode that the stream supports", "streams[%d].sync_mode", i)
		}
		all = append(all, Matched[State]{Stream: catalog[at], SyncMode: requested.SyncMode, Fields: requested.Fields})
	}
	for i, given := range req.States {
		at := find(given.Stream)
		switch {
		case at < 0:
			refuse("must be a stream of this request: select it, or omit its state", "states[%d].stream", i)
			continue
		case given.Account != account:
			refuse("must be the account that is read", "states[%d].account", i)
			continue
		case all[at].Given != nil:
			refuse("must have one state, the last one sent", "states[%d].stream", i)
			continue
		}
		state, ok := parse(given.State)
		if !ok {
			refuse("must be a state of this source: to read from the beginning, omit it", "states[%d].content", i)
			continue
		}
		all[at].Given, all[at].State = given.State, state
	}
	if len(wrong) > 0 {
		return nil, connector.Invalid(wrong...)
	}
	return all, nil
}
