package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// ownMember is the member of a stream's state that belongs to this connector.
const ownMember = "stripe_connector"

// noCursor marks the state of a stream that has nothing to resume from, as the Airbyte CDK writes it.
const noCursor = `{"__ab_no_cursor_state_message":true}`

// ownState is the value of ownMember.
type ownState struct {
	// Until is the position that the other members had when this was written, in Unix seconds; 0 if none.
	Until int64 `json:"until"`
	// Newest is the greatest time of a version that was sent, in Unix seconds.
	Newest int64 `json:"newest,omitempty"`
	// State is the state of the source; empty before the first one.
	State json.RawMessage `json:"state,omitempty"`
	// Repeated makes a state differ from the previous one even though the source's is the same.
	Repeated int64 `json:"repeated,omitempty"`
}

// resumption is the state of a stream, as received.
type resumption struct {
	other json.RawMessage // the members of the other connector, as a JSON object; nil if there are none
	until time.Time       // what they say; zero if nothing
	own   ownState
	isOwn bool // own takes precedence over other
}

// parseStates returns the states in the content of the file that --state names, by stream. It accepts a list of states, an
// empty object, and the map by stream that old platforms keep.
func parseStates(content []byte) (map[string]json.RawMessage, error) {
	content = bytes.TrimSpace(content)
	if len(content) == 0 || string(content) == "null" {
		return nil, nil
	}
	states := map[string]json.RawMessage{}
	switch content[0] {
	case '[':
		var messages []json.RawMessage
		if err := json.Unmarshal(content, &messages); err != nil {
			return nil, fmt.Errorf("is not JSON: %w", err)
		}
		for i, m := range messages {
			if err := addState(states, m); err != nil {
				return nil, fmt.Errorf("[%d] %w", i, err)
			}
		}
		return states, nil
	case '{':
		return states, addState(states, content)
	}
	return nil, errors.New("must be a list of state messages, or an object")
}

// addState adds the states in a state message or in an old map by stream.
func addState(states map[string]json.RawMessage, text json.RawMessage) error {
	var m struct {
		Type   string          `json:"type"`
		Stream json.RawMessage `json:"stream"`
		Global struct {
			Streams []json.RawMessage `json:"stream_states"`
		} `json:"global"`
		Data  map[string]json.RawMessage `json:"data"`
		State json.RawMessage            `json:"state"`
	}
	err := json.Unmarshal(text, &m)
	if isType := new(json.UnmarshalTypeError); err != nil && !errors.As(err, &isType) {
		return fmt.Errorf("is not JSON: %w", err)
	}
	switch m.Type {
	case "STREAM":
		if err != nil {
			break
		}
		return addStream(states, m.Stream)
	case "GLOBAL":
		if err != nil {
			break
		}
		for _, s := range m.Global.Streams {
			if err := addStream(states, s); err != nil {
				return err
			}
		}
		return nil
	case "STATE": // a line of the output
		if m.State != nil {
			return addState(states, m.State)
		}
	case "LEGACY":
		if m.Data != nil {
			maps.Copy(states, m.Data)
			return nil
		}
	case "":
		var old map[string]json.RawMessage
		if json.Unmarshal(text, &old) != nil || old == nil || old["type"] != nil {
			break
		}
		if data, ok := old["data"]; ok && len(old) == 1 && json.Unmarshal(data, &m.Data) == nil {
			old = m.Data
		}
		maps.Copy(states, old)
		return nil
	}
	return fmt.Errorf("is not a state message: its type is %.40q and its content doesn't fit", m.Type)
}

func addStream(states map[string]json.RawMessage, text json.RawMessage) error {
	var s struct {
		Descriptor descriptor      `json:"stream_descriptor"`
		State      json.RawMessage `json:"stream_state"`
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Descriptor.Name == "" {
		return errors.New("has no stream with a stream_descriptor")
	}
	states[s.Descriptor.Name] = s.State
	return nil
}

// resume parses the state of a stream. The error says what is wrong with it.
func (d *dialect) resume(stream string, given json.RawMessage) (resumption, error) {
	var r resumption
	if len(given) == 0 || string(given) == "null" {
		return r, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(given, &members); err != nil {
		return r, errors.New("must be a JSON object")
	}
	if own, ok := members[ownMember]; ok {
		decoder := json.NewDecoder(bytes.NewReader(own))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&r.own); err != nil {
			return r, fmt.Errorf("has a damaged member %s: %w", ownMember, err)
		}
		r.isOwn = true
		delete(members, ownMember)
	}
	if len(members) == 0 {
		return r, nil
	}
	other, err := json.Marshal(members)
	if err != nil {
		return r, err
	}
	r.other = other
	if r.until, err = d.Position(stream, other); err != nil {
		return r, err
	}
	if r.isOwn && seconds(r.until) != r.own.Until {
		r.isOwn = false // the other connector has run since
	}
	return r, nil
}

// seconds returns t in Unix seconds, or 0 if it is zero.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// encodeState returns the state of a stream: the members of the other connector, and own.
func encodeState(other json.RawMessage, own ownState) (json.RawMessage, error) {
	text, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	member := append(strconv.AppendQuote(nil, ownMember), ':')
	member = append(append(member, text...), '}')
	if len(other) <= len("{}") {
		return append([]byte{'{'}, member...), nil
	}
	state := append([]byte(nil), other[:len(other)-1]...)
	return append(append(state, ','), member...), nil
}
