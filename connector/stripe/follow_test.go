package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// delays measures how long it takes until changes arrive as records.
type delays struct {
	lock    sync.Mutex
	under   map[string][]time.Time // times of the changes that have not arrived yet, by id
	took    []time.Duration
	arrived map[string]int64 // last revision by id
}

func (d *delays) changed(id string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.under[id] = append(d.under[id], time.Now())
}

func (d *delays) record(_ int, m connector.Message) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	batch, ok := m.(*connector.RecordBatch)
	if !ok {
		return nil
	}
	for _, r := range batch.Records {
		for ; d.arrived[r.Key] < revision(r.Data); d.arrived[r.Key]++ {
			d.took = append(d.took, time.Since(d.under[r.Key][0]))
			d.under[r.Key] = d.under[r.Key][1:]
		}
	}
	return nil
}

// follow starts a Read with Follow and default options, and returns a function that ends it.
func follow(t *testing.T, server *stripetest.Stripe, sink connector.Sink, streams ...string) func() {
	t.Helper()
	req := connector.ReadRequest{Config: connector.NewConfig(`{"api_key":"sk_test_123","api_base":"` + simulated + `"}`), Follow: true}
	for _, stream := range streams {
		req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: stream, SyncMode: connector.Incremental})
	}
	source := stripe.New(stripe.Options{AllowedAPIBases: []string{simulated}, Transport: inMemory{server}})
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		if _, err := source.Read(ctx, req, sink); !errors.Is(err, context.Canceled) {
			t.Errorf("Read: %v", err)
		}
	})
	return func() {
		cancel()
		reading.Wait()
	}
}

// TestFreshnessUnderFollow runs a Read with Follow and default options while Stripe changes. It uses simulated time, in
// which each change becomes visible within a second.
func TestFreshnessUnderFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := stripetest.New(stripetest.Options{
			Objects: map[string]int{"*": 0, "/v1/charges": 30, "/v1/coupons": 30}, EventDelay: time.Second, ShuffleTies: true, Accounts: -1,
		})
		defer server.Close()
		d := delays{under: map[string][]time.Time{}, arrived: map[string]int64{}}
		end := follow(t, server, &recorder{send: d.record}, "charges", "coupons")
		var ids []string
		for _, path := range []string{"/v1/charges", "/v1/coupons"} {
			for id := range server.Truth(path) {
				if !strings.Contains(id, " ") {
					ids = append(ids, id)
				}
			}
		}
		random := rand.New(rand.NewPCG(1, 1))
		time.Sleep(time.Minute)
		const changes = 500
		for range changes {
			time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
			id := ids[random.IntN(len(ids))]
			d.changed(id)
			if err := server.Update(id); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		end()
		if len(d.took) != changes {
			t.Fatalf("%d of %d changes arrived", len(d.took), changes)
		}
		slices.Sort(d.took)
		median, maximum := d.took[changes/2], d.took[changes-1]
		t.Logf("from change to record: median %v, at most %v, in %d requests", median, maximum, server.RequestCount(""))
		if median >= 10*time.Second || maximum >= 20*time.Second {
			t.Errorf("changes took %v in the median and at most %v", median, maximum)
		}
	})
}

// TestLateListsUnderFollow has lists show a change a minute after its event. The record must arrive exactly once, with few
// requests.
func TestLateListsUnderFollow(t *testing.T) {
	tests := map[string]struct{ parents, path, field string }{ // path may contain the parent's id; otherwise field names the parent
		"refunds":                  {"/v1/charges", "/v1/refunds", "charge"},
		"setup_attempts":           {"/v1/setup_intents", "/v1/setup_attempts", "setup_intent"},
		"customer_payment_methods": {"/v1/customers", "/v1/customers/%s/payment_methods", ""},
	}
	for stream, test := range tests {
		t.Run(stream, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := stripetest.New(stripetest.Options{
					Objects: map[string]int{"*": 0, test.parents: 3}, ObjectDelay: time.Minute, Accounts: -1, Seed: 2,
				})
				defer server.Close()
				var sink recorder
				end := follow(t, server, &sink, stream)
				time.Sleep(10 * time.Minute)
				before := server.RequestCount("") - server.RequestCount("/v1/events")
				id := createBelow(t, server, test.parents, test.path, test.field)
				time.Sleep(20 * time.Minute)
				requests := server.RequestCount("") - server.RequestCount("/v1/events") - before
				end()
				arrived := 0
				for _, r := range sink.records(stream) {
					if r.Operation == connector.Upsert && r.Key == id {
						arrived++
					}
				}
				if arrived != 1 {
					t.Errorf("%s arrived %d times, want once", id, arrived)
				}
				if requests > 6 { // an object and its list when the event appears, and two retries
					t.Errorf("%d requests for one change, want at most 6", requests)
				}
			})
		})
	}
}

// createBelow creates an object below one of its parents.
func createBelow(t *testing.T, server *stripetest.Stripe, parents, path, field string) string {
	t.Helper()
	var parent string
	for parent = range server.Truth(parents) {
		break
	}
	fields := stripetest.Fields{}
	if field != "" {
		fields[field] = parent
	} else {
		path = fmt.Sprintf(path, parent)
	}
	id, err := server.Create(path, fields)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestNewFieldsUnderFollow adds fields that the schema doesn't have, one after the other. The log must name each soon, but only once.
func TestNewFieldsUnderFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := stripetest.New(stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 1}, Accounts: -1})
		defer server.Close()
		sink := &recorder{}
		end := follow(t, server, sink, "charges")
		time.Sleep(time.Minute)
		for id := range maps.Collect(server.Truth("/v1/charges")) {
			for _, name := range []string{"hologram", "aura"} {
				_, err := server.Distort(id, stripetest.Edit{Property: name, JSON: `1`})
				if err := errors.Join(err, server.Update(id)); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
			}
		}
		end()
		var reported []string
		for _, m := range sink.messages {
			if entry, is := m.(*connector.LogEntry); is && strings.Contains(entry.Message, "New fields") {
				reported = append(reported, entry.Message[strings.Index(entry.Message, "New fields"):])
			}
		}
		want := []string{"New fields, which the schema doesn't describe: hologram (1).", "New fields, which the schema doesn't describe: aura (1), hologram (2)."}
		if !slices.Equal(reported, want) {
			t.Errorf("got %q, want %q", reported, want)
		}
	})
}
