package api

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"sync"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

const (
	// maxBodies is how many answers are read, or wait to be cut, at once in the process. Bodies come faster than they are
	// cut, so more would only cost memory: hundreds of Reads may begin in the same moment.
	maxBodies = 32
	// newBody is how large a buffer begins, unless an answer tells how much it is: most pages have some hundred KB.
	newBody = 256 << 10
	// maxIdle is how many bytes of buffers are kept for the next answers. Pages of invoices have 1.5 MB.
	maxIdle = 16 << 20
)

// bodies lends the buffers that answers are read into, and cut in.
var bodies = newBuffers(maxBodies, maxIdle)

// allCutters are those of the process.
var allCutters = newCutters(runtime.GOMAXPROCS(0))

// buffer is what one answer is read into, led as cutters want it.
type buffer struct{ bytes.Buffer }

// body is the answer.
func (b *buffer) body() []byte { return b.Bytes()[rawjson.Lead:] }

// buffers lends a number of buffers at once. It keeps those that were given back, however often garbage is collected: a
// page needs as much memory as all else that is alive. The last one lies on top, still in the processor's cache.
type buffers struct {
	turns   chan struct{}
	maxIdle int64

	mu        sync.Mutex
	idle      []*buffer
	idleBytes int64
}

func newBuffers(n int, maxIdle int64) *buffers {
	return &buffers{turns: make(chan struct{}, n), maxIdle: maxIdle}
}

// take waits for a buffer for an answer. Its owner must give it back.
func (b *buffers) take(ctx context.Context, res *http.Response) (*buffer, error) {
	select {
	case b.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	buffer := b.top()
	buffer.Reset()
	size := newBody
	if res.ContentLength > 0 {
		size = int(min(res.ContentLength, b.maxIdle/4)) // no more at an answer's mere word
	}
	buffer.Grow(rawjson.Lead + size + bytes.MinRead) // what must be free for bytes.Buffer to see the end
	buffer.Write(make([]byte, rawjson.Lead))
	return buffer, nil
}

// top takes the buffer on top, or a new one.
func (b *buffers) top() *buffer {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := len(b.idle) - 1
	if last < 0 {
		return &buffer{}
	}
	buffer := b.idle[last]
	b.idle[last] = nil
	b.idle = b.idle[:last]
	b.idleBytes -= int64(buffer.Cap())
	return buffer
}

// give takes a buffer back.
func (b *buffers) give(buffer *buffer) {
	b.mu.Lock()
	if size := int64(buffer.Cap()); b.idleBytes+size <= b.maxIdle {
		b.idle = append(b.idle, buffer)
		b.idleBytes += size
	}
	b.mu.Unlock()
	<-b.turns
}

// cutters holds what answers are cut with, for as many at once as there are processors: it is nothing but work. A cutter
// learns what is alike in what it cuts, and the fewer there are the sooner each has.
type cutters chan *rawjson.Cutter

func newCutters(n int) cutters {
	c := make(cutters, n)
	for range n {
		c <- &rawjson.Cutter{}
	}
	return c
}

// with lends a cutter to use, which must not keep it.
func (c cutters) with(use func(*rawjson.Cutter) error) error {
	cutter := <-c
	defer func() { c <- cutter }()
	return use(cutter)
}
