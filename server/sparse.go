package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// sparseEvery is the minimum time between two lines once sparseFirst lines have been logged.
	sparseEvery = 10 * time.Second
	sparseFirst = 5
)

// sparse logs events that unauthenticated clients can cause at any rate. It logs the first few, and then at most one every
// few seconds, with the number of events omitted since. It is safe for concurrent use.
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
