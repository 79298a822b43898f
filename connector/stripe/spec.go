package stripe

import (
	_ "embed"

	"github.com/stripe-connector/stripe-connector/connector"
)

//go:embed config_schema.json
var configSchema []byte

// Spec tells which configuration the source takes.
func (s *Source) Spec() connector.Spec {
	return connector.Spec{
		Source:           "stripe",
		ConfigSchema:     configSchema,
		DocumentationURL: "https://docs.stripe.com/api",
		SyncModes:        []connector.SyncMode{connector.FullRefresh, connector.Incremental},
		Capabilities: []connector.Capability{
			connector.FieldSelection, connector.TimeRangeLimit, connector.RecordLimit, connector.SoftDeadline,
			connector.PriorityOrder, connector.Checkpoints, connector.Follow, connector.Reconcile,
		},
	}
}
