package connector

import "encoding/json"

// StreamState is how far a stream was read: a JSON object that belongs to the source.
type StreamState struct {
	Stream  string
	Account string // empty for the key's own account
	State   json.RawMessage
}
