package connector

import "encoding/json"

// StreamState says how far a stream has been read. State is a JSON object that only the source interprets.
type StreamState struct {
	Stream  string
	Account string // empty for the key's own account
	State   json.RawMessage
}
