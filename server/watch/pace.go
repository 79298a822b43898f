package watch

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stripe-connector/stripe-connector/connector"
)

// pace is a collector of the source's current request rate.
type pace struct{ source connector.Paced }

var (
	paceAccounts = gauge("connector_source_accounts_in_use", "Accounts that were read in the last 90 seconds, by key.")
	paceCeiling  = gauge("connector_source_ceiling_requests_per_second", "Known limit on requests per second, summed over all accounts in use.")
	paceAllowed  = gauge("connector_source_allowed_requests_per_second", "Requests per second that the connector currently allows itself, summed over all accounts in use: below the ceiling after a refusal.")
	paceInFlight = gauge("connector_source_requests_in_flight", "Requests in flight.")
	paceWaiting  = gauge("connector_source_requests_waiting", "Requests waiting for the rate limit.")
)

func gauge(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

// Describe implements [prometheus.Collector].
func (p pace) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(p, descriptions)
}

// Collect implements [prometheus.Collector]. All metrics of a scrape come from a single call of Pace.
func (p pace) Collect(metrics chan<- prometheus.Metric) {
	now := p.source.Pace()
	for description, value := range map[*prometheus.Desc]float64{
		paceAccounts: float64(now.Accounts), paceCeiling: now.Ceiling, paceAllowed: now.Allowed,
		paceInFlight: float64(now.InFlight), paceWaiting: float64(now.Waiting),
	} {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value)
	}
}
