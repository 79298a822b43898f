package emit

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Group runs the goroutines of a source. It is an errgroup.Group in which a panic is an error like any other: it cancels
// the group's context and is returned by Wait, and [Emitter.Run] makes a Failure of it.
type Group struct{ group *errgroup.Group }

// NewGroup returns a Group and a context that ends with its first error, or when Wait returns.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	group, ctx := errgroup.WithContext(ctx)
	return &Group{group}, ctx
}

// SetLimit bounds how many goroutines run at once. Call it before Go.
func (g *Group) SetLimit(n int) { g.group.SetLimit(n) }

// Go calls f in a goroutine of its own. It blocks while the limit is reached.
func (g *Group) Go(f func() error) { g.group.Go(func() error { return guard(f) }) }

// Wait waits for all goroutines and returns their first error.
func (g *Group) Wait() error { return g.group.Wait() }
