package stripe

import (
	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
)

// Spec describes the source and its configuration.
func (s *Source) Spec() connector.Spec {
	return connector.Spec{
		Source:           "stripe",
		ConfigSchema:     config.Schema,
		DocumentationURL: "https://docs.stripe.com/api",
		SyncModes:        []connector.SyncMode{connector.FullRefresh, connector.Incremental},
		Capabilities: []connector.Capability{
			connector.FieldSelection, connector.TimeRangeLimit, connector.RecordLimit, connector.SoftDeadline,
			connector.PriorityOrder, connector.Checkpoints, connector.Follow, connector.Reconcile,
		},
	}
}
