package stripe_test

import (
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// TestForkedPass resumes two Reads from one state. The state of one stream is stored from the first Read and that of
// another from the second. These states cover different pages although they look alike.
func TestForkedPass(t *testing.T) {
	objects := objectCounts(40)
	w := newWorld(t, stripetest.Options{Seed: 7, Objects: objects, Density: bunched, Latency: func(string) time.Duration { return time.Millisecond }})
	p := w.processes(t)
	names := []string{"invoices", "invoice_line_items"}
	reversed := []string{"invoice_line_items", "invoices"}
	whole := p.whole(t, names)
	lost := 0
	tries := 30
	if testing.Short() {
		tries = 5
	}
	for try := range tries {
		o := p.orchestrator(names)
		do := func(order []string, states int) {
			var req connector.ReadRequest
			req.Streams, req.States = o.unfinished(order)
			req.Config, req.CheckpointPages = p.config, 1
			n := 0
			var sink recorder
			sink.send = func(_ int, m connector.Message) error {
				if n == states {
					return errKilled
				}
				if _, ok := m.(*connector.StateCheckpoint); ok {
					n++
				}
				return nil
			}
			_, _ = p.start(stripe.Options{PageSize: 2}).Read(t.Context(), req, &sink)
			o.store(sink.messages)
		}
		do(names, 2*(3+try%10)) // both streams at P:n
		do(names, 2*7+1)        // invoices at P:n+8, lines at P:n+7
		do(reversed, 1)         // lines at P:n+8 of another continuation
		do(reversed, -1)
		do(reversed, -1)
		if d := o.differences(whole, names); len(d) > 0 {
			if lost == 0 {
				t.Log(d)
			}
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d tries lost rows", lost, tries)
	}
}
