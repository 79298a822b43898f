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
	// maxBodies is the number of responses that are read, or wait to be cut, at the same time in the process. maxBaseBodies and
	// maxAccountBodies are the shares of one API address and of one account. Bodies arrive faster than they are cut, so more
	// would only cost memory when hundreds of Reads start at once.
	maxBodies        = 64
	maxBaseBodies    = 32
	maxAccountBodies = 24
	// smallBody is the size up to which a response needs no slot among the large ones. A page of invoices has 1.5 MB.
	smallBody = 2 << 20
	// maxLarge is the number of larger responses that are read at the same time, with the same shares.
	maxLarge        = 8
	maxBaseLarge    = 4
	maxAccountLarge = 2
	// newBody is the initial size of a buffer if the response doesn't say its length: most pages have a few hundred KB.
	newBody = 256 << 10
	// maxIdle is the number of bytes of buffers kept for later responses.
	maxIdle = 16 << 20
)

// bodies are the buffers that responses are read into and cut in.
var bodies = newBuffers(newShares(maxBodies, maxBaseBodies, maxAccountBodies), maxIdle)

// large are the slots of large responses.
var large = newShares(maxLarge, maxBaseLarge, maxAccountLarge)

// allCutters are the cutters of the process.
var allCutters = newCutters(runtime.GOMAXPROCS(0))

// buffer holds one response, with the headroom that cutters need.
type buffer struct{ bytes.Buffer }

// body returns the response body.
func (b *buffer) body() []byte { return b.Bytes()[rawjson.Headroom:] }

// buffers is a pool with a fixed number of buffers in use. Unlike a sync.Pool it keeps returned buffers through garbage
// collections, because a page needs as much memory as everything else that is alive. It hands out the buffer that was
// returned last, which is most likely still in the processor's cache.
type buffers struct {
	slots   *shares
	maxIdle int64

	mu        sync.Mutex
	idle      []*buffer
	idleBytes int64
}

func newBuffers(slots *shares, maxIdle int64) *buffers {
	return &buffers{slots: slots, maxIdle: maxIdle}
}

// get waits for a buffer for a response. The caller must return it with put.
func (b *buffers) get(ctx context.Context, c claim, res *http.Response) (*buffer, error) {
	if err := b.slots.enter(ctx, c); err != nil {
		return nil, err
	}
	buffer := b.top()
	buffer.Reset()
	size := newBody
	if res.ContentLength > 0 {
		size = int(min(res.ContentLength, smallBody)) // don't trust a claimed length beyond this
	}
	buffer.Grow(rawjson.Headroom + size + bytes.MinRead) // room that bytes.Buffer needs to detect the end
	buffer.Write(make([]byte, rawjson.Headroom))
	return buffer, nil
}

// top returns the buffer that was returned last, or a new one.
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

// put returns a buffer to the pool.
func (b *buffers) put(c claim, buffer *buffer) {
	b.mu.Lock()
	if size := int64(buffer.Cap()); b.idleBytes+size <= b.maxIdle {
		b.idle = append(b.idle, buffer)
		b.idleBytes += size
	}
	b.mu.Unlock()
	b.slots.leave(c)
}

// cutters is a pool with one cutter per processor, since cutting is pure computation. A cutter becomes faster as it sees
// similar objects, so there shouldn't be more than necessary.
type cutters chan *rawjson.Cutter

func newCutters(n int) cutters {
	c := make(cutters, n)
	for range n {
		c <- &rawjson.Cutter{}
	}
	return c
}

// use calls use with a cutter, which use must not retain.
func (c cutters) use(ctx context.Context, use func(*rawjson.Cutter) error) error {
	var cutter *rawjson.Cutter
	select {
	case cutter = <-c:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { c <- cutter }()
	return use(cutter)
}
