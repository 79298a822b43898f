package destinationtest

import (
	"slices"
	"testing"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// accepts lists the operations that a destination says it can apply. If it is empty, the destination accepts all.
type accepts []connectorv1.Operation

// takes reports whether the service sends such a step to the destination.
func (a accepts) takes(w stepKind) bool {
	operation, sent := map[stepKind]connectorv1.Operation{
		upsert:  connectorv1.Operation_OPERATION_UPSERT,
		remove:  connectorv1.Operation_OPERATION_DELETE,
		replace: connectorv1.Operation_OPERATION_DELETE_MATCHING,
	}[w]
	return !sent || len(a) == 0 || slices.Contains(a, operation)
}

// acceptedBy returns the operations that a new destination accepts. UPSERT is always included.
func acceptedBy(t *testing.T, s Subject, mode Mode) accepts {
	t.Helper()
	d, err := s.Open(s.New(t), mode)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	begun, err := d.Begin(t.Context(), Streams())
	if err != nil {
		t.Fatal(err)
	}
	accepted := accepts(begun.AcceptedOperations)
	if !accepted.takes(upsert) {
		t.Errorf("it accepts %v, which does not include UPSERT", accepted)
	}
	return accepted
}
