package server

import "sync"

// outbox lends the buffers that parcels are encoded in. A stalled reader pins two of them, so they are not much larger than
// their messages; those of gRPC's own pool have 1 MiB where a message has more than 32 KiB, and are cleared each time.
type outbox struct{ idle sync.Pool }

// outboxStep is what the sizes of buffers are multiples of, so that messages of about one size find them of use.
const outboxStep = 16 << 10

// Get returns a buffer with room for size bytes. Its content is undefined.
func (o *outbox) Get(size int) *[]byte {
	if buffer, ok := o.idle.Get().(*[]byte); ok && cap(*buffer) >= size {
		return buffer
	}
	buffer := make([]byte, 0, (size+outboxStep-1)/outboxStep*outboxStep)
	return &buffer
}

// Put takes a buffer back.
func (o *outbox) Put(buffer *[]byte) { o.idle.Put(buffer) }
