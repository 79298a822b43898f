package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestWatch runs a service in its own process and performs Reads with every kind of failure. Its metrics, traces, logs and
// profiles must be consistent, match the documentation, the dashboard and the alerts, and contain no key.
func TestWatch(t *testing.T) {
	t.Parallel()
	key, refused, restricted := plant("watched"), plant("watched and refused"), "rk"+plant("watched and restricted")[2:]
	stripe := simulate(t, stripetest.Options{
		Objects: map[string]int{"*": 3, "/v1/charges": 300},
		Keys:    map[string]stripetest.Key{key: {}, restricted: {Permissions: []string{"rak_customer_read"}}},
	})
	loud := parrot(t, 403, parrotError)
	w := watch(t, stripe.URL, loud)
	config := func(key, base string) map[string]any {
		return map[string]any{"api_key": key, "api_base": base, "start_date": "2020-01-01", "max_requests_per_second": 20}
	}
	heard := &recorder{}
	ask := func(config map[string]any) {
		heard.reads(t, w.client, &connectorv1.ReadRequest{
			Config: configuration(t, config), Streams: selectStreams("charges", "customers", "customer_balance_transactions", "invoice_line_items"),
		})
	}
	for _, kind := range []stripetest.FaultKind{stripetest.RateLimited, stripetest.ServerError, stripetest.Dropped} {
		stripe.Inject(stripetest.Fault{Kind: kind, Path: "/v1/customers", Times: 1})
	}
	ask(config(key, stripe.URL))
	ask(config(refused, stripe.URL))
	ask(config(restricted, stripe.URL))
	ask(config(key, loud))

	served, text := w.metrics(t)
	if records := served.value("connector_records_sent_total", "stream", "charges", "operation", "upsert"); records != 300 {
		t.Errorf("records of charges sent: %v, want 300", records)
	}
	if began := served.value("grpc_server_started_total", "grpc_method", "Read"); began != 4 {
		t.Errorf("Reads that began: %v, want 4", began)
	}
	if ended := served.value("grpc_server_handled_total", "grpc_method", "Read", "grpc_code", "Unauthenticated"); ended != 1 {
		t.Errorf("Reads whose key was refused: %v, want 1", ended)
	}
	if failed := served.value("connector_read_failures_total", "class", "auth"); failed != 1 {
		t.Errorf("%v Reads failed for their key, want 1", failed)
	}
	if seen := served.value("connector_stream_watermark_timestamp_seconds", "stream", "charges"); time.Since(time.Unix(int64(seen), 0)) > time.Hour {
		t.Errorf("the watermark is %v, want about now", seen)
	}
	t.Run("documentation", func(t *testing.T) { checkDocumentation(t, served) })
	t.Run("dashboard", func(t *testing.T) { checkDashboard(t, served) })
	t.Run("alerts", func(t *testing.T) { checkAlerts(t, served) })

	w.drains(t, stripe, config(key, stripe.URL))
	w.traces(t)
	stacks, logs, spans := w.stacks, w.log.String(), w.exported.String()
	if requests := served.value("connector_source_requests_total", "endpoint", "/v1/customers/{parent}/balance_transactions", "status", "2xx"); requests < 1 {
		t.Errorf("requests of the balance of each customer: %v, want some", requests)
	}
	if !objectID.MatchString(heard.String()) {
		t.Error("no id is found in records either")
	}
	for where, seen := range map[string]string{"metrics": text, "spans": spans} {
		if found := objectID.FindString(seen); found != "" {
			t.Errorf("the id %s came out in %s", found, where)
		}
	}
	checkWords(t, logs, "read stream", "finished call", "trace_id", "drain", "parse headers")
	checkWords(t, stacks, "goroutine ")
	for where, seen := range map[string]string{"metrics": text, "spans": spans, "log": logs, "stacks": stacks, "answers": heard.String()} {
		for _, key := range []string{key, refused, restricted, plant("header")} {
			if found := leak(seen, key); found != "" || seen == "" {
				t.Errorf("the key %s came out in %s: %q", key, where, found)
			}
		}
	}
}

// objectID matches the ids of the objects read here, and of accounts.
var objectID = regexp.MustCompile(`\b(acct|ch|cus|il|in|re|evt)_[0-9A-Za-z]{8,}`)

// watched is a service in its own process, with its metrics, traces and logs.
type watched struct {
	client        connectorv1.ConnectorServiceClient
	page          string // the base URL of the metrics server
	log, exported *recorder
	stacks        string
	end           func(os.Signal) error // ends the service with a signal
	wait          func() error

	mu    sync.Mutex
	spans []*tracev1.Span
}

func watch(t *testing.T, allowed ...string) *watched {
	t.Helper()
	w := &watched{log: &recorder{}, exported: &recorder{}}
	collector := httptest.NewServer(w)
	t.Cleanup(collector.Close)
	address, page := freeAddress(t), freeAddress(t)
	cmd := command(t, "serve", "--listen", address, "--metrics-listen", page, "--pprof", "--trust-traceparent", "--allow-api-base", strings.Join(allowed, ","))
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_SERVICE_NAME=watched",
		"OTEL_EXPORTER_OTLP_HEADERS="+plant("header")) // malformed, and must not be repeated
	cmd.Stdout, cmd.Stderr = w.log, w.log
	startInBackground(t, cmd, false, "", address)
	w.client, w.page = dial(t, address), "http://"+page
	w.end, w.wait = func(s os.Signal) error { return cmd.Process.Signal(s) }, cmd.Wait
	return w
}

// ServeHTTP receives spans, like an OpenTelemetry collector.
func (w *watched) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collectortrace.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(out, fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	w.exported.message(&request)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			w.spans = append(w.spans, scope.GetSpans()...)
		}
	}
}

func (w *watched) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(w.page + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (w *watched) metrics(t *testing.T) (served, string) {
	t.Helper()
	_, text := w.get(t, "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("Prometheus cannot read the metrics: %v", err)
	}
	return families, text
}

// drains ends the service while a Read waits for Stripe. The service must not be ready, but must stay healthy until it ends.
func (w *watched) drains(t *testing.T, stripe *stripetest.Server, config map[string]any) {
	t.Helper()
	if code, body := w.get(t, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz says %d %s before the drain", code, body)
	}
	stripe.Inject(stripetest.Fault{Kind: stripetest.Hanging})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := w.client.Read(ctx, &connectorv1.ReadRequest{Config: configuration(t, config), Streams: selectStreams("charges")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if served, _ := w.metrics(t); served.value("connector_reads_running") != 1 {
		t.Errorf("connector_reads_running is %v, want 1", served.value("connector_reads_running"))
	}
	if err := w.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for code := 0; code != http.StatusServiceUnavailable; code, _ = w.get(t, "/readyz") {
		if t.Context().Err() != nil {
			t.Fatal("it stays ready")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if code, body := w.get(t, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz says %d %s during the drain", code, body)
	}
	_, w.stacks = w.get(t, "/debug/pprof/goroutine?debug=2")
	cancel()
	if err := w.wait(); err != nil {
		t.Errorf("serve: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// traces checks that requests to Stripe are below the Read that they serve, and that the log refers to the same trace.
func (w *watched) traces(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	reads := map[string]bool{}
	for _, span := range w.spans {
		if span.GetName() == "connector.v1.ConnectorService/Read" {
			reads[string(span.GetSpanId())] = true
			if id := fmt.Sprintf("%x", span.GetTraceId()); !strings.Contains(w.log.String(), id) {
				t.Errorf("the log lacks the trace %s", id)
			}
		}
	}
	if len(reads) != 5 {
		t.Errorf("there are spans of %d Reads, want 5", len(reads))
	}
	names := map[string]int{}
	for _, span := range w.spans {
		if reads[string(span.GetParentSpanId())] {
			names[span.GetName()]++
		}
	}
	for _, want := range []string{"GET /v1/charges", "GET /v1/customers", "GET /v1/invoices"} {
		if names[want] == 0 {
			t.Errorf("there is no span %s below that of a Read, but %v", want, names)
		}
	}
}

// checkDocumentation compares the documentation's table with the served metrics: names, types and labels.
func checkDocumentation(t *testing.T, served served) {
	text, err := os.ReadFile("../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, actual := map[string]string{}, map[string]string{}
	word := regexp.MustCompile("`([a-z_]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		var labels []string
		for _, label := range word.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		documented[row[1]] = fmt.Sprint(row[2], labels)
	}
	for name, family := range served {
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") { // found in any Go program
			actual[name] = fmt.Sprint(strings.ToLower(family.GetType().String()), served.labels(name))
		}
	}
	if diff := cmp.Diff(actual, documented); diff != "" {
		t.Errorf("served (-) is not what docs/observability.md lists (+):\n%s", diff)
	}
}

// checkDashboard checks each query of the dashboard, and its legend.
func checkDashboard(t *testing.T, served served) {
	text, err := os.ReadFile("../deploy/helm/stripe-connector/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct{ Type, Query string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("$__rate_interval", "5m", "$job", ".+")
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			for _, problem := range served.problems(values.Replace(target.Expr), target.LegendFormat) {
				t.Errorf("%s: %s: %s", panel.Title, target.Expr, problem)
			}
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Type == "query" && served["connector_build_info"] != nil && variable.Query != "label_values(connector_build_info, job)" {
			t.Errorf("the variable asks for %s", variable.Query)
		}
	}
	if queries < 10 {
		t.Errorf("found %d queries only", queries)
	}
}

// checkAlerts checks each alert rule, and the labels used in its texts.
func checkAlerts(t *testing.T, served served) {
	text, err := os.ReadFile("../deploy/helm/stripe-connector/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Annotations      map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			rules++
			var texts strings.Builder
			for _, annotation := range rule.Annotations {
				texts.WriteString(strings.ReplaceAll(annotation, "$labels.", ""))
			}
			for _, problem := range served.problems(rule.Expr, texts.String()) {
				t.Errorf("%s: %s", rule.Alert, problem)
			}
			if rule.Alert == "" || rule.For == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%q lacks something", rule.Alert)
			}
		}
	}
	if rules < 6 {
		t.Errorf("found %d rules only", rules)
	}
}
