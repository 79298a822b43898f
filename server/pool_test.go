package server

import "testing"

// TestOutbox checks that Get returns large enough buffers, whatever sizes were put back, and that new ones have less than
// outboxStep bytes to spare.
func TestOutbox(t *testing.T) {
	var o outbox
	for _, size := range []int{0, 1, outboxStep, outboxStep + 1, 100, 1 << 20, 5 << 20, outboxStep} {
		buffer := o.Get(size)
		if cap(*buffer) < size {
			t.Fatalf("a buffer of %d bytes for %d", cap(*buffer), size)
		}
		if spare := cap(*buffer) - size; size > 1<<20 && spare >= outboxStep {
			t.Errorf("%d bytes more than the %d", spare, size)
		}
		*buffer = (*buffer)[:size]
		o.Put(buffer)
	}
}
