package stripe_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// slow is a latency at which workers overlap and the limiter recommends many of them.
func slow(string) time.Duration { return 3 * time.Millisecond }

// ids returns the ids of records, in order.
func ids(t *testing.T, records []connector.Record) []string {
	t.Helper()
	all := make([]string, len(records))
	for i, record := range records {
		var object struct{ ID string }
		if err := json.Unmarshal([]byte(record.Data), &object); err != nil {
			t.Fatal(err)
		}
		all[i] = object.ID
	}
	return all
}

func createdOf(t *testing.T, record connector.Record) int64 {
	t.Helper()
	var object struct{ Created int64 }
	if err := json.Unmarshal([]byte(record.Data), &object); err != nil {
		t.Fatal(err)
	}
	return object.Created
}

// TestWorkStealing reads accounts of every density. Each object must arrive exactly once, read by several workers, with few
// pages that aren't full.
func TestWorkStealing(t *testing.T) {
	const charges = 8_000
	densities := map[string]stripetest.Density{"even": stripetest.Even, "growing": stripetest.Growing, "bursty": stripetest.Bursty, "one second": stripetest.OneSecond}
	for name, density := range densities {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": charges, "*": 0}, Density: density, Latency: slow})
			w.ResetRequests()
			sink, summary := w.read(t, connector.ReadRequest{Streams: selected("charges")})
			all := ids(t, sink.records("charges"))
			slices.Sort(all)
			if distinct := len(slices.Compact(slices.Clone(all))); len(all) != charges || distinct != charges {
				t.Errorf("got %d records for %d objects", len(all), distinct)
			}
			if maximum := int64(charges / 100 * 125 / 100); summary.Requests > maximum {
				t.Errorf("made %d requests, want at most %d", summary.Requests, maximum)
			}
			if name == "one second" {
				return // there is nothing to split
			}
			if w.MaxInFlight() < 3 {
				t.Errorf("at most %d requests were in flight, want at least 3", w.MaxInFlight())
			}
		})
	}
}

func TestSparseStreamsUseOneChain(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 390, "/v1/refunds": 7, "*": 0}, Latency: slow})
	_, summary := w.read(t, connector.ReadRequest{Streams: selected("charges", "refunds")})
	if want := int64(1 + w.MinRequests("/v1/charges") + w.MinRequests("/v1/refunds")); summary.Requests != want {
		t.Errorf("made %d requests, want %d", summary.Requests, want)
	}
}

// TestNewestFirst checks that most of the newer half arrives before the older half.
func TestNewestFirst(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const charges = 20_000
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": charges, "*": 0}, Latency: slow})
	sink, summary := w.read(t, connector.ReadRequest{Streams: selected("charges"), NewestFirst: true})
	records := sink.records("charges")
	if len(records) != charges || summary.HasMore {
		t.Fatalf("got %d records", len(records))
	}
	oldest, newest := createdOf(t, records[0]), int64(0)
	for _, record := range records {
		oldest, newest = min(oldest, createdOf(t, record)), max(newest, createdOf(t, record))
	}
	middle, early := (oldest+newest)/2, 0
	for _, record := range records[:charges/4] {
		if createdOf(t, record) >= middle {
			early++
		}
	}
	if share := float64(early) / (charges / 4); share < 0.7 {
		t.Errorf("only %.0f %% of the first quarter of the records belong to the newer half", 100*share)
	}
}

// TestRequestLimits ends Reads early, again and again. Together they must return everything.
func TestRequestLimits(t *testing.T) {
	draining := make(chan struct{})
	close(draining)
	tests := map[string]connector.ReadRequest{
		"record limit":  {RecordLimit: 700},
		"soft deadline": {SoftDeadline: time.Millisecond},
		"drain":         {Drain: draining},
	}
	for name, req := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 1500, "/v1/invoices": 400, "*": 0}, Latency: slow})
			req.Streams = selected("charges", "invoices", "invoice_line_items")
			whole, _ := w.read(t, connector.ReadRequest{Streams: req.Streams})
			var all recorder
			reads := 0
			for more := true; more; reads++ {
				sink, summary := w.read(t, req)
				all.messages = append(all.messages, sink.messages...)
				more = summary.HasMore
				states := map[string]connector.StreamState{}
				for _, state := range slices.Concat(req.States, sink.states()) {
					states[state.Stream] = state
				}
				req.States = nil
				unfinished := []connector.ConfiguredStream{}
				for _, report := range summary.Streams {
					if report.Failure != nil {
						t.Fatalf("%s: %v", report.Stream, report.Failure)
					}
					if report.Status == connector.Complete {
						continue // its state would start it from the beginning
					}
					unfinished = append(unfinished, connector.ConfiguredStream{Stream: report.Stream})
					if state, ok := states[report.Stream]; ok {
						req.States = append(req.States, state)
					}
				}
				req.Streams = unfinished
				if reads > 200 {
					t.Fatal("the sync doesn't end")
				}
			}
			if reads < 3 {
				t.Errorf("only %d Reads, want at least 3", reads)
			}
			for stream, key := range map[string][]string{"charges": {"id"}, "invoices": {"id"}, "invoice_line_items": {"invoice", "id"}} {
				if diff := cmp.Diff(rows(t, key, whole.records(stream)), rows(t, key, all.records(stream))); diff != "" {
					t.Errorf("%s: %s", stream, diff)
				}
			}
		})
	}
}

func TestTimeRange(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 1000, "*": 0}})
	from, to := now.AddDate(0, -6, 0), now.AddDate(0, -3, 0)
	whole, before := w.read(t, connector.ReadRequest{Streams: selected("charges")})
	want := 0
	for _, record := range whole.records("charges") {
		if at := createdOf(t, record); at >= from.Unix() && at < to.Unix() {
			want++
		}
	}
	part, summary := w.read(t, connector.ReadRequest{Streams: selected("charges"), States: whole.states(), From: from, To: to})
	if got := len(part.records("charges")); got != want || want == 0 {
		t.Errorf("got %d records, want %d", got, want)
	}
	if g := summary.Streams[0].Generation; g != before.Streams[0].Generation {
		t.Errorf("a bounded Read started generation %d", g)
	}
	_, summary = w.read(t, connector.ReadRequest{Streams: selected("charges"), From: from, To: to})
	if g := summary.Streams[0].Generation; g != 1 {
		t.Errorf("a bounded Read without a state started generation %d, want 1", g)
	}
}

// TestDeletedCursor deletes the object after which the next page starts.
func TestDeletedCursor(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"/v1/customers": 350, "*": 0}})
	deleted := ""
	sink := recorder{}
	sink.send = func(_ int, m connector.Message) error {
		if batch, ok := m.(*connector.RecordBatch); ok && deleted == "" {
			deleted = batch.Records[len(batch.Records)-1].Key
			return w.Delete(deleted)
		}
		return nil
	}
	summary, err := w.source.Read(t.Context(), connector.ReadRequest{Config: w.config, Streams: selected("customers")}, &sink)
	if err != nil || summary.Streams[0].Status != connector.Complete {
		t.Fatalf("%v, %+v", err, summary)
	}
	if got := len(rows(t, []string{"id"}, sink.records("customers"))); got != 350 {
		t.Errorf("got %d rows, want 350", got)
	}
	if got := fmt.Sprint(w.Count("/v1/customers")); got != "349" {
		t.Errorf("the simulated Stripe has %s customers", got)
	}
}
