package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// sparseEvery is the shortest time between two lines of a kind once sparseFirst have been written.
	sparseEvery = 10 * time.Second
	sparseFirst = 5
)

// sparse logs events that unauthenticated clients can cause at any rate: the first few, then one every few seconds with the number
// of events not logged.
type sparse struct {
	logger *slog.Logger

	mu      sync.Mutex
	lines   int
	last    time.Time
	omitted int
}

func newSparse(logger *slog.Logger) *sparse { return &sparse{logger: logger} }

func (s *sparse) log(ctx context.Context, message string, attributes ...any) {
	s.mu.Lock()
	now := time.Now()
	if s.lines >= sparseFirst && now.Sub(s.last) < sparseEvery {
		s.omitted++
		s.mu.Unlock()
		return
	}
	omitted := s.omitted
	s.lines++
	s.last, s.omitted = now, 0
	s.mu.Unlock()
	if omitted > 0 {
		attributes = append(attributes, "omitted", omitted)
	}
	s.logger.WarnContext(ctx, message, attributes...)
}
