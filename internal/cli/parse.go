package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// objects returns the JSON objects in content. They may be concatenated, in lists, or in a list that is the named
// member of an object.
func objects(content []byte, member string) ([]map[string]json.RawMessage, error) {
	var all []map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		var value json.RawMessage
		if err := decoder.Decode(&value); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("is not valid JSON after byte %d: %w", decoder.InputOffset(), err)
		}
		var outer map[string]json.RawMessage
		if json.Unmarshal(value, &outer) == nil {
			inner, ok := outer[member]
			if !ok || len(inner) == 0 || inner[0] != '[' {
				all = append(all, outer)
				continue
			}
			value = inner
		}
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, fmt.Errorf("is neither an object nor a list of objects near byte %d", decoder.InputOffset())
		}
		all = append(all, list...)
	}
}

// parseCatalog parses the streams to read, from the output of discover or from a list of configured streams.
func parseCatalog(content []byte) ([]*connectorv1.ConfiguredStream, error) {
	all, err := objects(content, "streams")
	if err != nil {
		return nil, err
	}
	var streams []*connectorv1.ConfiguredStream
	for i, object := range all {
		s := &connectorv1.ConfiguredStream{}
		if name, ok := object["name"]; ok { // a stream in the output of discover
			object = map[string]json.RawMessage{"stream": name}
		}
		if err := decode(object, s); err != nil {
			return nil, fmt.Errorf("is invalid at streams[%d]: %w", i, err)
		}
		if s.GetStream() == "" {
			return nil, fmt.Errorf(`is invalid at streams[%d]: it names no stream. Write {"stream": "charges"}`, i)
		}
		streams = append(streams, s)
	}
	if len(streams) == 0 {
		return nil, errors.New(`contains no stream. Write [{"stream": "charges"}], or use the output of discover`)
	}
	return streams, nil
}

// parseStates parses the last state of each stream and account, from a list of states or from the output of read.
func parseStates(content []byte) ([]*connectorv1.StreamState, error) {
	all, err := objects(content, "states")
	if err != nil {
		return nil, err
	}
	var states []*connectorv1.StreamState
	for i, object := range all {
		state := &connectorv1.StreamState{}
		if _, ok := object["stream"]; ok {
			if err := decode(object, state); err != nil {
				return nil, fmt.Errorf("is invalid at states[%d]: %w", i, err)
			}
		} else {
			m := &connectorv1.ReadResponse{}
			if err := decode(object, m); err != nil || m.GetMessage() == nil {
				return nil, fmt.Errorf(`is invalid at object %d: it is neither a state {"stream": …, "content": {…}} nor a `+
					"message printed by read", i)
			}
			if state = m.GetCheckpoint().GetState(); state == nil {
				continue
			}
		}
		states = slices.DeleteFunc(states, func(s *connectorv1.StreamState) bool {
			return s.GetStream() == state.GetStream() && s.GetAccount() == state.GetAccount()
		})
		states = append(states, state)
	}
	return states, nil
}

// decode decodes a JSON object into m.
func decode(object map[string]json.RawMessage, m proto.Message) error {
	content, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(content, m)
}
