package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// ours is a field that the client adds to a state before storing it, and removes before sending it back. It records
// how the stream's rows were loaded. A state without it belongs to a stream with all fields selected.
const (
	ours       = "_client"
	oursFields = "fields" // the selected paths
	oursReread = "reread" // true if the stream must be re-read from the beginning
)

// label returns the state to store for a stream with the given fields selected.
func label(state *connectorv1.StreamState, fields []string) *connectorv1.StreamState {
	if len(fields) == 0 {
		return state
	}
	var list structpb.ListValue
	for _, f := range fields {
		list.Values = append(list.Values, structpb.NewStringValue(f))
	}
	return with(state, oursFields, structpb.NewListValue(&list))
}

// rereadLabel returns a state that makes the next sync read the stream from the beginning.
func rereadLabel(state *connectorv1.StreamState) *connectorv1.StreamState {
	return with(&connectorv1.StreamState{Stream: state.GetStream(), Account: state.GetAccount()}, oursReread, structpb.NewBoolValue(true))
}

func with(state *connectorv1.StreamState, name string, value *structpb.Value) *connectorv1.StreamState {
	labelled := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	maps.Copy(labelled.GetFields(), state.GetContent().GetFields())
	labelled.Fields[ours] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{name: value}})
	return &connectorv1.StreamState{Stream: state.GetStream(), Account: state.GetAccount(), Content: labelled}
}

// unlabel returns the stored states to resume from, as the service sent them. It drops the states of streams that
// lack a selected field or are marked for a re-read, so that those are read from the beginning, and returns a notice
// for each.
func unlabel(stored []*connectorv1.StreamState, selected []chosen) (states []*connectorv1.StreamState, notices []Notice) {
	noticed := map[string]bool{}
	for _, s := range stored {
		at := slices.IndexFunc(selected, func(c chosen) bool { return c.stream.GetName() == s.GetStream() })
		label := s.GetContent().GetFields()[ours].GetStructValue().GetFields()
		if label == nil || at < 0 {
			states = append(states, s)
			continue
		}
		reason := ""
		if label[oursReread].GetBoolValue() {
			reason = "A re-read was requested. The stream will be re-read from the beginning."
		} else if lacking := selected[at].lacking(label[oursFields].GetListValue()); lacking != "" {
			reason = fmt.Sprintf("The stored rows lack %s, which is now selected. The stream will be re-read from the beginning.", lacking)
		}
		if reason == "" {
			plain := &structpb.Struct{Fields: maps.Clone(s.GetContent().GetFields())}
			delete(plain.GetFields(), ours)
			states = append(states, &connectorv1.StreamState{Stream: s.GetStream(), Account: s.GetAccount(), Content: plain})
			continue
		}
		if !noticed[s.GetStream()] {
			noticed[s.GetStream()] = true
			notices = append(notices, Notice{s.GetStream(), reason})
		}
	}
	return states, notices
}

// lacking returns the names of the selected fields that are missing from rows loaded with the given fields, or "" if
// there are none.
func (c chosen) lacking(loaded *structpb.ListValue) string {
	if len(c.fields) == 0 {
		return "some fields"
	}
	always := append(slices.Clone(c.stream.GetPrimaryKey()), c.stream.GetCursorField())
	var lacking []string
	for _, f := range c.fields {
		covered := slices.Contains(always, f) || slices.ContainsFunc(loaded.GetValues(), func(v *structpb.Value) bool {
			return f == v.GetStringValue() || strings.HasPrefix(f, v.GetStringValue()+".")
		})
		if !covered {
			lacking = append(lacking, f)
		}
	}
	return strings.Join(lacking, ", ")
}
