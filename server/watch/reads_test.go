package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAccountsAreBounded checks that accounts beyond maxAccounts share a label value.
func TestAccountsAreBounded(t *testing.T) {
	r := newReads()
	for i := range 2 * maxAccounts {
		r.StreamSelected(fmt.Sprint(i), "charges")
		r.WatermarkReached(fmt.Sprint(i), "charges", time.Now())
	}
	for name, collector := range map[string]prometheus.Collector{"selected": r.selected, "watermark": r.watermark} {
		series := make(chan prometheus.Metric, 10*maxAccounts)
		collector.Collect(series)
		if n := len(series); n != maxAccounts+1 {
			t.Errorf("%s has %d series, want %d and one for all others", name, n, maxAccounts)
		}
	}
}
