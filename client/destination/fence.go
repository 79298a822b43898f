package destination

import (
	"context"
	"errors"
)

// Fence describes one attempt of an owner that may start while an older attempt is stalled, for example because its process
// was suspended. A destination that supports it ends the session of the older attempt, and rejects it from then on.
//
// Package postgres supports it. The others rely on locks of files, which a stalled process keeps: a newer attempt fails until
// that process ends.
type Fence struct {
	// Owner is the same for all attempts that may supersede each other, such as the name of a pipeline.
	Owner string
	// Confirm returns nil if the attempt that calls it is still the newest one of its owner. It is called at most once, before
	// anything is written. It must ask whatever starts attempts, which must have given up on this attempt before it starts the
	// next.
	Confirm func(context.Context) error
}

// ErrSuperseded is the error of an attempt after a newer one of the same owner has begun. A retry of the attempt fails, too.
var ErrSuperseded = errors.New("superseded: a newer attempt of the same pipeline has taken over, and this one must end")
