package connectortest_test

import (
	"context"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/connectortest"
)

// A source whose states run ahead of its records is found out when a Read is stopped and resumed.
func ExampleVerify() {
	o := newWorld().options()
	hasty := &changed{Source: o.New()}
	states(func(m *connector.StateCheckpoint) { m.State = ahead(m.State) })(nil, hasty)

	for _, breach := range connectortest.Verify(context.Background(), hasty, o) {
		if breach.Check == "resume" {
			fmt.Println(breach.Promise.ID)
			fmt.Println(breach.Promise.Sentence)
			break
		}
	}
	// Output:
	// invariant
	// A state is sent only after every record that it covers.
}
