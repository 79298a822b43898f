package rows

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// StateTable is the name of the table of states.
const StateTable = "_stripe_connector_state"

// EncodeState returns a state as compact JSON.
func EncodeState(state *connectorv1.StreamState) (string, error) {
	content, err := protojson.Marshal(state.GetContent())
	compact := jsontext.Value(content)
	if err == nil {
		err = compact.Compact() // protojson's white space varies between builds
	}
	if err != nil {
		return "", fmt.Errorf("encode the state of %s: %w", state.GetStream(), err)
	}
	return string(compact), nil
}

// DecodeState decodes a state encoded by EncodeState.
func DecodeState(stream, account, content string) (*connectorv1.StreamState, error) {
	state := &connectorv1.StreamState{Stream: stream, Account: account, Content: &structpb.Struct{}}
	if err := protojson.Unmarshal([]byte(content), state.GetContent()); err != nil {
		return nil, fmt.Errorf("state of %s in table %s is not a JSON object: delete that row to re-read the stream",
			stream, StateTable)
	}
	return state, nil
}

// UnexpectedStream returns the error for records of a stream that was not passed to Begin.
func UnexpectedStream(stream string) error {
	return fmt.Errorf("the service sent records of %q, which was not requested: this is a bug, please report it", stream)
}

// UnknownOperation returns the error for an operation that the protocol doesn't define.
func UnknownOperation(stream string, operation connectorv1.Operation) error {
	return fmt.Errorf("record of %s has operation %s, which this version doesn't support: upgrade this program", stream, operation)
}
