package server

import (
	"bytes"
	"encoding/json"
	"sync"

	"google.golang.org/protobuf/types/known/structpb"
)

// schemas keeps the schemas of streams in the form in which they are sent, since making that costs more than all else in
// Discover. It holds one for each stream, the last that the source gave.
type schemas struct {
	mu    sync.Mutex
	known map[string]knownSchema
}

type knownSchema struct {
	raw     json.RawMessage
	message *structpb.Struct // shared by all answers: nobody changes it
}

// message returns a stream's schema as a Struct.
func (s *schemas) message(stream string, raw json.RawMessage) (*structpb.Struct, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.known[stream]; ok && bytes.Equal(known.raw, raw) {
		return known.message, nil
	}
	message, err := structFromJSON(raw)
	if err != nil {
		return nil, err
	}
	if s.known == nil {
		s.known = map[string]knownSchema{}
	}
	s.known[stream] = knownSchema{raw: bytes.Clone(raw), message: message}
	return message, nil
}
