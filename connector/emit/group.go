package emit

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Group runs the goroutines of a source. It is an errgroup.Group that treats a panic like an error: the panic cancels the
// group's context and is returned by Wait, and [Emitter.Run] turns it into a Failure.
type Group struct{ group *errgroup.Group }

// NewGroup returns a Group and a context that is canceled on the first error, or when Wait returns.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	group, ctx := errgroup.WithContext(ctx)
	return &Group{group}, ctx
}

// SetLimit limits how many goroutines run at once. It must be called before Go.
func (g *Group) SetLimit(n int) { g.group.SetLimit(n) }

// Go calls f in a new goroutine. It blocks while the limit is reached.
func (g *Group) Go(f func() error) { g.group.Go(func() error { return guard(f) }) }

// Wait waits for all goroutines and returns the first error.
func (g *Group) Wait() error { return g.group.Wait() }
