package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2024, 6, 15, 12, 0, 0, 0, time.UTC)

// world is a simulated Stripe and a source that reads it.
type world struct {
	*stripetest.Server
	source *stripe.Source
	config connector.Config
}

func newWorld(t *testing.T, o stripetest.Options) *world {
	t.Helper()
	o.Now = func() time.Time { return now }
	o.End, o.Start = now.Truncate(24*time.Hour), now.AddDate(-1, 0, 1).Truncate(24*time.Hour)
	server := stripetest.NewServer(o)
	transport := api.NewTransport()
	t.Cleanup(func() {
		transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
		server.Close()
		for _, violation := range server.Violations() {
			t.Errorf("the simulated Stripe says: %s", violation)
		}
	})
	return &world{
		Server: server,
		source: stripe.New(stripe.Options{
			AllowedAPIBases: []string{server.URL},
			Transport:       transport,
			Now:             o.Now,
			Retry:           api.Retry{Initial: time.Millisecond, Max: 5 * time.Millisecond, Budget: 10 * time.Second, Attempt: 5 * time.Second},
		}),
		config: connector.NewConfig(fmt.Sprintf(`{"api_key":"sk_test_123","api_base":%q,"max_requests_per_second":10000}`, server.URL)),
	}
}

// recorder is a Sink that stores all messages.
type recorder struct {
	messages []connector.Message
	send     func(n int, m connector.Message) error // called before a message is stored; may be nil
}

func (r *recorder) Send(_ context.Context, m connector.Message) error {
	if r.send != nil {
		if err := r.send(len(r.messages), m); err != nil {
			return err
		}
	}
	if batch, ok := m.(*connector.RecordBatch); ok { // the source may reuse the slice
		kept := *batch
		kept.Records = slices.Clone(batch.Records)
		m = &kept
	}
	r.messages = append(r.messages, m)
	return nil
}

func (r *recorder) records(stream string) []connector.Record {
	var all []connector.Record
	for _, m := range r.messages {
		if batch, ok := m.(*connector.RecordBatch); ok && batch.Stream == stream {
			all = append(all, batch.Records...)
		}
	}
	return all
}

// states returns the last state of each stream.
func (r *recorder) states() []connector.StreamState {
	last := map[string]connector.StreamState{}
	for _, m := range r.messages {
		if checkpoint, ok := m.(*connector.StateCheckpoint); ok {
			last[checkpoint.Stream] = checkpoint.StreamState
		}
	}
	return slices.Collect(maps.Values(last))
}

func (w *world) read(t *testing.T, req connector.ReadRequest) (*recorder, connector.Summary) {
	t.Helper()
	if req.Config.JSON() == nil {
		req.Config = w.config
	}
	var sink recorder
	summary, err := w.source.Read(t.Context(), req, &sink)
	if err != nil {
		t.Fatal(err)
	}
	return &sink, summary
}

func (w *world) catalog(t *testing.T) []connector.Stream {
	t.Helper()
	catalog, err := w.source.Discover(t.Context(), connector.DiscoverRequest{Config: w.config})
	if err != nil {
		t.Fatal(err)
	}
	return catalog.Streams
}

func selected(names ...string) []connector.ConfiguredStream {
	streams := make([]connector.ConfiguredStream, len(names))
	for i, name := range names {
		streams[i].Stream = name
	}
	return streams
}

// rows applies records by primary key, in the order received.
func rows(t *testing.T, key []string, records []connector.Record) map[string]map[string]any {
	t.Helper()
	table := map[string]map[string]any{}
	for _, record := range records {
		var row map[string]any
		if err := json.Unmarshal([]byte(record.Data), &row); err != nil {
			t.Fatalf("%v in %s", err, record.Data)
		}
		var parts []string
		for _, field := range key {
			if row[field] == nil {
				t.Fatalf("no %s in %s", field, record.Data)
			}
			parts = append(parts, fmt.Sprint(row[field]))
		}
		table[strings.Join(parts, "|")] = row
	}
	return table
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// truth returns the objects of a path that a complete Read should send, by id. Path parameters may have any name.
func (w *world) truth(t *testing.T, path string, expand ...string) map[string][]map[string]any {
	t.Helper()
	return w.truthIn(t, stripetest.APIVersion, path, expand...)
}

// truthIn is like truth, in an API version.
func (w *world) truthIn(t *testing.T, version, path string, expand ...string) map[string][]map[string]any {
	t.Helper()
	anyName := func(path string) string { return parameter.ReplaceAllString(path, "{}") }
	objects := map[string][]map[string]any{}
	found := false
	for _, known := range w.Paths() {
		if anyName(known) != anyName(path) {
			continue
		}
		found = true
		for id, raw := range w.TruthIn(version, known, expand...) {
			var object map[string]any
			if err := json.Unmarshal(raw, &object); err != nil {
				t.Fatal(err)
			}
			objects[id] = append(objects[id], object)
		}
	}
	if !found {
		t.Fatalf("the simulated Stripe does not serve %s", path)
	}
	return objects
}

// path returns the object type and the endpoint of a stream, which its description names.
func path(stream connector.Stream) (object, path string) {
	words := strings.Fields(strings.TrimSuffix(stream.Description, "."))
	object, path = words[1], words[len(words)-1]
	if strings.HasSuffix(stream.Name, "_discounts") { // no endpoint lists them
		path += "/{parent}/discounts"
	}
	return object, path
}

// included returns what is asked for by default in the objects of a stream, beyond what Stripe shows.
func included(stream string) []string {
	return map[string][]string{
		"prices": {"currency_options", "tiers"}, "plans": {"tiers"}, "coupons": {"applies_to", "currency_options"},
		"shipping_rates": {"fixed_amount.currency_options"},
	}[stream]
}

// held returns the rows that a stream has for an object: for a balance, one for each kind and currency.
func held(stream connector.Stream, object map[string]any) []map[string]any {
	if stream.Name != "balance" {
		return []map[string]any{object}
	}
	var rows []map[string]any
	add := func(kind string, amounts any) {
		list, _ := amounts.([]any)
		for _, amount := range list {
			row := maps.Clone(amount.(map[string]any))
			row["kind"], row["object"], row["livemode"] = kind, "balance", object["livemode"]
			rows = append(rows, row)
		}
	}
	for kind, value := range object {
		add(kind, value)
		if inner, ok := value.(map[string]any); ok {
			for name, value := range inner {
				add(kind+"."+name, value)
			}
		}
	}
	return rows
}

// TestReadYieldsTheTruth reads every stream of every API version and compares it field by field with the simulated Stripe's
// objects. Stripe's responses have secrets, and the records must not.
func TestReadYieldsTheTruth(t *testing.T) {
	editions := schema.Editions()
	if testing.Short() {
		editions = editions[len(editions)-1:]
	}
	for _, e := range editions {
		t.Run(e.Version, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Seed: 1, Secrets: true})
			w.config = with(w.config, "api_version", e.Version)
			w.expectTruth(t, e.Version)
		})
	}
}

// with returns a configuration with a field set.
func with(config connector.Config, field, value string) connector.Config {
	return connector.NewConfig(rawjson.WithMember(string(config.JSON()), field, rawjson.Quote(value)))
}

func (w *world) expectTruth(t *testing.T, version string) {
	t.Helper()
	catalog := w.catalog(t)
	var names []string
	for _, stream := range catalog {
		names = append(names, stream.Name)
	}
	sink, summary := w.read(t, connector.ReadRequest{Streams: selected(names...)})
	for _, report := range summary.Streams {
		if report.Status != connector.Complete {
			t.Errorf("%s is %v: %v", report.Stream, report.Status, report.Failure)
		}
	}
	for _, stream := range catalog {
		t.Run(stream.Name, func(t *testing.T) {
			object, path := path(stream)
			for _, record := range sink.records(stream.Name) {
				if strings.Contains(record.Data, "client_secret") {
					t.Fatalf("a record has a secret: %s", record.Data)
				}
			}
			got := rows(t, stream.PrimaryKey, sink.records(stream.Name))
			want := 0
			for id, versions := range w.truthIn(t, version, path, included(stream.Name)...) {
				for _, truth := range versions {
					if truth["object"] != object || !lists(w.Account, stream, id) {
						continue
					}
					for _, truth := range held(stream, truth) {
						want++
						if !slices.ContainsFunc(slices.Collect(maps.Values(got)), func(row map[string]any) bool { return includes(row, truth) }) {
							t.Errorf("%s is missing or differs", id)
						}
					}
				}
			}
			if want == 0 {
				t.Errorf("the simulated Stripe has no such objects")
			}
			if len(got) != want {
				t.Errorf("got %d rows, want %d", len(got), want)
			}
		})
	}
}

// lists reports whether a stream contains an object of its endpoint: for payout_transactions, only those of automatic
// payouts.
func lists(account *stripetest.Account, stream connector.Stream, id string) bool {
	return stream.Name != "payout_transactions" || slices.Contains(account.PaidOut(account.Relation(id, "payout")), id)
}

// includes reports whether a row has every member of an object, and at most two more: the ids of its parents.
func includes(row, object map[string]any) bool {
	for field, value := range object {
		if value != nil && !cmp.Equal(row[field], value) {
			return false
		}
	}
	return len(row) <= len(object)+2
}

func TestReadOfOneStreamInDetail(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 250, "*": 5}})
	sink, summary := w.read(t, connector.ReadRequest{Streams: selected("charges"), CheckpointPages: 1})
	var kinds []string
	for _, m := range sink.messages {
		switch m := m.(type) {
		case *connector.RecordBatch:
			kinds = append(kinds, fmt.Sprintf("%d records", len(m.Records)))
		case *connector.StateCheckpoint:
			kinds = append(kinds, fmt.Sprintf("state of %d", m.Records))
		case *connector.StreamStatus:
			kinds = append(kinds, m.Status.String())
		}
	}
	want := []string{"STARTED", "RUNNING", "100 records", "state of 100", "100 records", "state of 100", "50 records", "state of 50", "state of 0", "COMPLETE"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	report := summary.Streams[0]
	if report.Upserts != 250 || report.Generation != now.UnixMilli() || summary.Requests != 4 || summary.HasMore {
		t.Errorf("got %+v", summary)
	}
	if n := 1 + w.MinRequests("/v1/charges"); int64(n) != summary.Requests { // one for the account, which also provides the time
		t.Errorf("made %d requests, the minimum is %d", summary.Requests, n)
	}
}

// A second Read from the final states of the first starts a new generation.
func TestFullRefreshAgain(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 20}})
	first, before := w.read(t, connector.ReadRequest{Streams: selected("charges")})
	second, after := w.read(t, connector.ReadRequest{Streams: selected("charges"), States: first.states()})
	if after.Streams[0].Generation <= before.Streams[0].Generation || len(second.records("charges")) != 20 {
		t.Errorf("got %+v after %+v", after.Streams[0], before.Streams[0])
	}
	for _, m := range second.messages {
		if batch, ok := m.(*connector.RecordBatch); ok && batch.Generation != after.Streams[0].Generation {
			t.Errorf("a batch of generation %d", batch.Generation)
		}
	}
}

func TestTemporaryFaults(t *testing.T) {
	kinds := map[string]stripetest.FaultKind{
		"429": stripetest.RateLimited, "lock": stripetest.LockTimeout, "500": stripetest.ServerError, "502": stripetest.BadGateway,
		"empty": stripetest.EmptyBody, "truncated": stripetest.Truncated, "dropped": stripetest.Dropped, "wrong content": stripetest.WrongContent,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/invoices": 250, "*": 3}})
			want, _ := w.read(t, connector.ReadRequest{Streams: selected("invoices", "invoice_line_items")})
			w.Inject(stripetest.Fault{Kind: kind, Skip: 1, Times: 3})
			got, summary := w.read(t, connector.ReadRequest{Streams: selected("invoices", "invoice_line_items")})
			if summary.Retries < 1 {
				t.Errorf("no retry: %+v", summary)
			}
			for stream, key := range map[string][]string{"invoices": {"id"}, "invoice_line_items": {"invoice", "id"}} {
				if diff := cmp.Diff(rows(t, key, want.records(stream)), rows(t, key, got.records(stream))); diff != "" {
					t.Errorf("%s: %s", stream, diff)
				}
			}
		})
	}
}

// A permanent fault fails its stream with the last state intact; other streams continue.
func TestPermanentFault(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 250, "*": 30}})
	w.source = stripe.New(stripe.Options{
		AllowedAPIBases: []string{w.URL},
		Now:             func() time.Time { return now },
		Transport:       w.transport(t),
		Retry:           api.Retry{Initial: time.Millisecond, Max: time.Millisecond, Budget: 50 * time.Millisecond},
	})
	remove := w.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/charges", Skip: 2})
	req := connector.ReadRequest{Streams: selected("charges", "customers"), CheckpointPages: 1}
	first, summary := w.read(t, req)
	charges, customers := summary.Streams[0], summary.Streams[1]
	if charges.Status != connector.Incomplete || charges.Failure.Class != connector.Transient || charges.Upserts != 200 || !summary.HasMore {
		t.Errorf("charges: %+v", charges)
	}
	if customers.Status != connector.Complete || customers.Upserts != 30 {
		t.Errorf("customers: %+v", customers)
	}
	remove()
	req.States = first.states()
	second, _ := w.read(t, req)
	all := rows(t, []string{"id"}, append(first.records("charges"), second.records("charges")...))
	if len(second.records("charges")) != 50 || len(all) != 250 {
		t.Errorf("resumed with %d records, %d rows in total", len(second.records("charges")), len(all))
	}
}

func (w *world) transport(t *testing.T) *closingTransport {
	transport := &closingTransport{api.NewTransport()}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestPermissions(t *testing.T) {
	w := newWorld(t, stripetest.Options{
		Objects:    map[string]int{"*": 10},
		Keys:       map[string]stripetest.Key{"rk_test_some": {Permissions: []string{"rak_charge_read", "rak_customer_read"}}},
		NotEnabled: []string{"issuing", "treasury"},
	})
	config := connector.NewConfig(fmt.Sprintf(`{"api_key":"rk_test_some","api_base":%q,"max_requests_per_second":10000}`, w.URL))
	names := []string{"charges", "invoices", "invoice_line_items", "customers", "issuing_cards", "treasury_transactions"}
	sink, summary := w.read(t, connector.ReadRequest{Config: config, Streams: selected(names...)})
	want := map[string]connector.Status{
		"charges": connector.Complete, "customers": connector.Complete, "invoices": connector.Skipped, "invoice_line_items": connector.Skipped,
		"issuing_cards": connector.Skipped, "treasury_transactions": connector.Skipped,
	}
	for _, report := range summary.Streams {
		if report.Status != want[report.Stream] {
			t.Errorf("%s is %v, want %v", report.Stream, report.Status, want[report.Stream])
		}
		if report.Status == connector.Skipped && (report.Failure == nil || report.Failure.Class != connector.PermissionError || report.Failure.Stream != report.Stream) {
			t.Errorf("%s was skipped because of %+v", report.Stream, report.Failure)
		}
	}
	if len(sink.records("charges")) == 0 || len(sink.records("invoices")) != 0 {
		t.Error("records of the wrong streams")
	}
	result, err := w.source.Check(t.Context(), connector.CheckRequest{Config: config, Streams: names})
	if err != nil || len(result.Problems) > 0 {
		t.Fatalf("check: %+v, %v", result.Problems, err)
	}
	for _, a := range result.Streams {
		if got := a.Availability == connector.Available; got != (want[a.Stream] == connector.Complete) {
			t.Errorf("Check reports %s as %v: %v", a.Stream, a.Availability, a.Reason)
		}
	}
}

func TestRefusedKeys(t *testing.T) {
	w := newWorld(t, stripetest.Options{
		Objects: map[string]int{"*": 10},
		Keys:    map[string]stripetest.Key{"sk_test_good": {}, "sk_test_old": {Expired: true}},
	})
	for _, key := range []string{"sk_test_Planted", "sk_test_old"} {
		config := connector.NewConfig(fmt.Sprintf(`{"api_key":%q,"api_base":%q}`, key, w.URL))
		_, err := w.source.Read(t.Context(), connector.ReadRequest{Config: config, Streams: selected("charges", "invoices")}, &recorder{})
		failure, ok := errors.AsType[*connector.Failure](err)
		if !ok || failure.Class != connector.AuthError || strings.Contains(fmt.Sprintf("%+v", failure), "Planted") {
			t.Errorf("Read with %s: %v", key, err)
		}
		result, err := w.source.Check(t.Context(), connector.CheckRequest{Config: config})
		if err != nil || len(result.Problems) != 1 || result.Problems[0].Class != connector.AuthError {
			t.Errorf("Check with %s: %+v, %v", key, result, err)
		}
	}
}

func TestFieldSelection(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 10}})
	sink, _ := w.read(t, connector.ReadRequest{Streams: []connector.ConfiguredStream{
		{Stream: "charges", Fields: []string{"amount", "billing_details.address.country"}},
		{Stream: "invoice_line_items", Fields: []string{"amount"}},
	}})
	for stream, want := range map[string]*regexp.Regexp{
		"charges":            regexp.MustCompile(`^\{"id":"[^"]+","amount":\d+,"billing_details":\{("address":(\{"country":[^,}]+\}|null))?\},"created":\d+\}$`),
		"invoice_line_items": regexp.MustCompile(`^\{"id":"[^"]+","amount":-?\d+,"invoice":"[^"]+"\}$`),
	} {
		records := sink.records(stream)
		if len(records) == 0 {
			t.Errorf("no %s", stream)
		}
		for _, record := range records {
			if !want.MatchString(record.Data) {
				t.Errorf("%s: got %s", stream, record.Data)
			}
		}
	}
}

// When the caller cancels a Read, it ends promptly and leaves nothing behind (see TestMain).
func TestCanceledRead(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 1000, "/v1/invoices": 500, "*": 10}})
	ctx, cancel := context.WithCancel(t.Context())
	sink := recorder{send: func(n int, _ connector.Message) error {
		if n == 10 {
			cancel()
		}
		return ctx.Err()
	}}
	_, err := w.source.Read(ctx, connector.ReadRequest{Config: w.config, Streams: selected("charges", "invoices", "customers", "refunds", "payouts")}, &sink)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A record that the sink can't carry is set aside, and everything else continues.
func TestUncarriableRecord(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 250, "*": 30}})
	ids := slices.Sorted(maps.Keys(w.truth(t, "/v1/charges")))
	bad := []string{ids[0], ids[1], ids[100], ids[249]}
	sink := recorder{send: func(_ int, m connector.Message) error {
		if batch, ok := m.(*connector.RecordBatch); ok && slices.ContainsFunc(batch.Records, func(r connector.Record) bool { return slices.Contains(bad, r.Key) }) {
			return &connector.Failure{Class: connector.SourceData, Message: "too large"}
		}
		return nil
	}}
	summary, err := w.source.Read(t.Context(), connector.ReadRequest{Config: w.config, Streams: selected("charges", "customers"), CheckpointPages: 1}, &sink)
	if err != nil {
		t.Fatal(err)
	}
	var aside []string
	for _, what := range summary.Streams[0].SetAside {
		aside = append(aside, what.Key)
	}
	slices.Sort(aside)
	if s := summary.Streams[0]; s.Status != connector.Complete || s.Upserts != 246 || !slices.Equal(aside, bad) {
		t.Errorf("charges: %+v", s)
	}
	if s := summary.Streams[1]; s.Status != connector.Complete || s.SetAsideTotal != 0 {
		t.Errorf("customers: %+v", s)
	}
}

func TestHeartbeats(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 1000, "*": 3}, Latency: func(string) time.Duration { return 10 * time.Millisecond }})
	w.source = stripe.New(stripe.Options{
		AllowedAPIBases: []string{w.URL}, Transport: w.transport(t), Now: func() time.Time { return now }, Heartbeat: 15 * time.Millisecond,
	})
	sink, _ := w.read(t, connector.ReadRequest{Streams: selected("charges")})
	beats := 0
	last := connector.Progress{}
	for _, m := range sink.messages {
		if p, ok := m.(*connector.Progress); ok {
			beats++
			if p.Fraction < last.Fraction || p.Records < last.Records || p.Fraction > 1 {
				t.Errorf("progress went from %+v to %+v", last, *p)
			}
			last = *p
		}
	}
	if beats == 0 || last.Records == 0 || last.Fraction == 0 {
		t.Errorf("%d heartbeats, the last %+v", beats, last)
	}
}
