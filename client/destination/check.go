package destination

import (
	"context"
	"fmt"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Check tests whether a sync of these streams into the destination with this name would find everything that it needs,
// and changes nothing. Without streams it tests the destination itself and the tables that it holds already.
//
// What a sync would stumble over is a finding. The error is nil unless the name names no destination, the kind has no
// check, or ctx ended.
func Check(ctx context.Context, name string, streams []*connectorv1.Stream) ([]client.Finding, error) {
	s, path, o, err := find(name)
	if err != nil {
		return nil, err
	}
	if s.check == nil {
		return nil, fmt.Errorf("a destination of kind %q has no check", s.name)
	}
	findings, err := s.check(ctx, path, o, streams)
	if err != nil {
		return nil, fmt.Errorf("check destination %q: %w", Redacted(name), err)
	}
	return findings, nil
}
