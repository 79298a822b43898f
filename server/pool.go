package server

import "sync"

// outbox is a pool of buffers for encoded parcels. A stalled reader holds on to two of them, so they are not much larger
// than their messages. In gRPC's own pool, a message of more than 32 KiB gets a buffer of 1 MiB, which is cleared each time.
type outbox struct{ idle sync.Pool }

// outboxStep is the granularity of buffer sizes. Rounding up allows messages of similar size to reuse each other's buffers.
const outboxStep = 16 << 10

// Get returns a buffer with a capacity of at least size bytes. Its content is undefined.
func (o *outbox) Get(size int) *[]byte {
	if buffer, ok := o.idle.Get().(*[]byte); ok && cap(*buffer) >= size {
		return buffer
	}
	buffer := make([]byte, 0, (size+outboxStep-1)/outboxStep*outboxStep)
	return &buffer
}

// Put returns a buffer to the pool.
func (o *outbox) Put(buffer *[]byte) { o.idle.Put(buffer) }
