package api

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

const (
	// progressWindow is how long an answer may arrive with less than leastProgress bytes. Stripe's slowest pages come in one go.
	progressWindow = 10 * time.Second
	leastProgress  = 40 << 10
)

// errSlow is the cause of the end of an answer that hardly arrives.
var errSlow = errors.New("the response arrived at less than 4 KiB per second")

// readWatched reads body to its end, and calls cut, which must end body, when too little arrives. The limit on an attempt as a
// whole would let an upstream hold a buffer for a minute and a half with a byte per second.
func readWatched(into *buffer, body io.Reader, cut context.CancelCauseFunc) error {
	counted := &counter{Reader: body}
	var last int64
	var slow atomic.Bool
	var timer *time.Timer
	ready := make(chan struct{}) // timer is set
	timer = time.AfterFunc(progressWindow, func() {
		<-ready
		now := counted.bytes.Load()
		if now-last < leastProgress {
			slow.Store(true)
			cut(errSlow)
			return
		}
		last = now
		timer.Reset(progressWindow)
	})
	close(ready)
	defer timer.Stop()
	_, err := into.ReadFrom(counted)
	if err != nil && slow.Load() {
		return errSlow
	}
	return err
}

// counter counts what is read.
type counter struct {
	io.Reader
	bytes atomic.Int64
}

// Read reads.
func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}
