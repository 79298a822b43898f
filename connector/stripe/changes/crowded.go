package changes

import (
	"context"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
)

// eventOverhead is the approximate number of bytes that an event occupies in memory besides its JSON, with the change that it
// announces.
const eventOverhead = 1 << 10

// weight returns the approximate number of bytes that events occupy in memory.
func weight(events []Event) (bytes int) {
	for i := range events {
		bytes += len(events[i].Raw) + eventOverhead
	}
	return bytes
}

// maxCrowded is the number of seconds of a sweep that may have more events than fit in memory. Stripe's rate limits allow some
// hundred events per second, so more such seconds mean that the list doesn't end.
const maxCrowded = 10

// leaveRest is called when a second has more events than fit in memory, of which some were listed. The sweep continues without
// the others and warns about them, and a stream of events sets the second aside.
func (s *sweep) leaveRest(ctx context.Context, second clock.Second, listed int) error {
	what := fmt.Sprintf("Stripe lists more than %d events created at %s", listed, second)
	if s.crowded++; s.crowded > maxCrowded {
		return family.EndlessList(s.reader.Table.Find("events"), what+", and too many in other seconds")
	}
	if s.lost[second] {
		return nil
	}
	s.lost[second] = true
	warning := what + ", more than fit in memory. The rows of objects that only the other events mention are stale until these objects change again: run reconcile or a full refresh."
	if err := s.reader.Emitter.LogOnce(ctx, "crowded "+second.String(), connector.Warning, warning); err != nil {
		return err
	}
	return s.setAside(ctx, second, &connector.Failure{Class: connector.SourceData, Message: what + ", more than fit in memory."})
}
