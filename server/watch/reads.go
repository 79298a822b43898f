package watch

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/server"
)

// reads holds the metrics of Reads, calls, and connections, and implements [server.Observer].
type reads struct {
	running      prometheus.Gauge
	records      *prometheus.CounterVec
	bytes        *prometheus.CounterVec
	watermark    *prometheus.GaugeVec
	ended        *prometheus.CounterVec
	failures     *prometheus.CounterVec
	refused      prometheus.Counter
	handshakes   *prometheus.CounterVec
	selected     *prometheus.GaugeVec
	readFailures *prometheus.CounterVec
	accounts     *labels
}

func newReads() reads {
	r := reads{
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "connector_reads_running", Help: "Reads in progress.",
		}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_records_sent_total", Help: "Records sent.",
		}, []string{"stream", "operation"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_record_bytes_sent_total", Help: "Bytes of JSON in the records sent.",
		}, []string{"stream", "operation"}),
		watermark: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "connector_stream_watermark_timestamp_seconds",
			Help: "Unix time up to which changes are applied, as last reported by a Read: time() minus this value is the lag.",
		}, []string{"account", "stream"}),
		selected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "connector_stream_selected_timestamp_seconds", Help: "Unix time at which a Read last started the stream.",
		}, []string{"account", "stream"}),
		readFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_read_failures_total", Help: "Reads that ended with a failure, by class.",
		}, []string{"class"}),
		accounts: &labels{names: map[string]bool{}},
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_streams_ended_total", Help: "Streams ended, by status.",
		}, []string{"stream", "status"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_stream_failures_total", Help: "Streams that ended with a failure, by class.",
		}, []string{"stream", "class"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "connector_tls_handshake_failures_total", Help: "Failed TLS handshakes, by cause.",
		}, []string{"cause"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "connector_calls_refused_total", Help: "Calls refused because the client had no valid credential, or because too many clients had none.",
		}),
	}
	for _, cause := range server.HandshakeCauses() { // start at zero, so that the first failure is an increase
		r.handshakes.WithLabelValues(cause)
	}
	for class := connector.ConfigError; class <= connector.System; class++ {
		r.readFailures.WithLabelValues(classWord(class))
	}
	return r
}

// labels is the set of accounts that have a label value of their own.
type labels struct {
	mu    sync.Mutex
	names map[string]bool
}

func (r *reads) all() []prometheus.Collector {
	return []prometheus.Collector{r.running, r.records, r.bytes, r.watermark, r.ended, r.failures, r.refused, r.handshakes, r.selected, r.readFailures}
}

// ReadBegan increments the number of running Reads.
func (r *reads) ReadBegan() { r.running.Inc() }

// ReadEnded decrements the number of running Reads.
func (r *reads) ReadEnded() { r.running.Dec() }

// RecordsSent counts records and their bytes.
func (r *reads) RecordsSent(stream string, operation connector.Operation, sent server.Count) {
	word := "upsert"
	if operation == connector.Delete {
		word = "delete"
	}
	r.records.WithLabelValues(stream, word).Add(float64(sent.Records))
	r.bytes.WithLabelValues(stream, word).Add(float64(sent.Bytes))
}

// WatermarkReached sets the watermark of a stream.
func (r *reads) WatermarkReached(account, stream string, watermark time.Time) {
	r.watermark.WithLabelValues(r.accountLabel(account), stream).Set(float64(watermark.Unix()))
}

// StreamSelected sets the time at which a stream was last selected to the current time.
func (r *reads) StreamSelected(account, stream string) {
	r.selected.WithLabelValues(r.accountLabel(account), stream).SetToCurrentTime()
}

// ReadFailed counts a Read that failed.
func (r *reads) ReadFailed(class connector.Class) {
	r.readFailures.WithLabelValues(classWord(class)).Inc()
}

// maxAccounts is the maximum number of accounts with a label value of their own. All others share the value "other".
const maxAccounts = 200

// accountLabel returns the label value for an account.
func (r *reads) accountLabel(account string) string {
	r.accounts.mu.Lock()
	defer r.accounts.mu.Unlock()
	if r.accounts.names[account] {
		return account
	}
	if len(r.accounts.names) >= maxAccounts {
		return "other"
	}
	r.accounts.names[account] = true
	return account
}

// CallRefused counts a call refused because its client has no valid credential.
func (r *reads) CallRefused() { r.refused.Inc() }

// HandshakeFailed counts a failed TLS handshake.
func (r *reads) HandshakeFailed(cause string) { r.handshakes.WithLabelValues(cause).Inc() }

// StreamEnded counts an ended stream, and its failure if class is not zero.
func (r *reads) StreamEnded(stream string, status connector.Status, class connector.Class) {
	r.ended.WithLabelValues(stream, strings.ToLower(status.String())).Inc()
	if class != 0 {
		r.failures.WithLabelValues(stream, classWord(class)).Inc()
	}
}

// classWord returns the label value for a class.
func classWord(class connector.Class) string { return strings.ToLower(class.String()) }
