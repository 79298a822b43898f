package server

import (
	"bytes"
	"encoding/json"
	"sync"

	"google.golang.org/protobuf/types/known/structpb"
)

// schemas caches the converted schema of each stream, because conversion costs more than everything else in Discover. It
// keeps only the latest schema of a stream.
type schemas struct {
	mu    sync.Mutex
	known map[string]knownSchema
}

type knownSchema struct {
	raw     json.RawMessage
	message *structpb.Struct // shared by responses; must not be modified
}

// message returns raw, a stream's schema, as a Struct, which the caller must not modify.
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
