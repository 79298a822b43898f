package temporal

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// The metrics of syncs. A worker reports them to the MetricsHandler of its client, with the SDK's tags. No tag has the name of a
// pipeline or text from a message.
const (
	metricReceived = "connector_records_received"
	metricEnded    = "connector_syncs_ended"
)

// received counts records by stream.
func received(metrics client.MetricsHandler, r *connectorv1.RecordBatch) {
	metrics.WithTags(map[string]string{"stream": r.GetStream()}).Counter(metricReceived).Inc(int64(len(r.GetRecords())))
}

// endings counts syncs by outcome.
type endings map[string]client.MetricsCounter

const (
	outcomeSucceeded = "succeeded"
	outcomeCanceled  = "canceled" // by a signal, or because Temporal gave the attempt up
	outcomeFailed    = "failed"   // without a class that has a counter
)

// newEndings returns the counters of all outcomes, so that they start at zero: then the first failure is an increase.
func newEndings(metrics client.MetricsHandler) endings {
	outcomes := []string{outcomeSucceeded, outcomeCanceled, outcomeFailed, errorStopped, errorUnknown, "DESTINATION", "SUPERSEDED"}
	for number, name := range connectorv1.FailureClass_name {
		if number != int32(connectorv1.FailureClass_FAILURE_CLASS_UNSPECIFIED) {
			outcomes = append(outcomes, strings.TrimPrefix(name, "FAILURE_CLASS_"))
		}
	}
	e := endings{}
	for _, outcome := range outcomes {
		outcome = strings.ToLower(outcome)
		e[outcome] = metrics.WithTags(map[string]string{"outcome": outcome}).Counter(metricEnded)
	}
	return e
}

// count counts a sync that returned err.
func (e endings) count(err error) {
	outcome := outcomeCanceled
	if failure, ok := errors.AsType[*sdk.ApplicationError](err); ok {
		outcome = strings.ToLower(failure.Type())
	} else if err == nil {
		outcome = outcomeSucceeded
	}
	counter, ok := e[outcome]
	if !ok {
		counter = e[outcomeFailed]
	}
	counter.Inc(1)
}
