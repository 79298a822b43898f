package stripe_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// The oldest and the newest version of the API that is known.
const (
	oldest = "2022-11-15"
	dahlia = "2026-08-26.dahlia"
)

// TestCheckReportsVersions checks that Check reports the account's default API version, even if the key may not read the account.
func TestCheckReportsVersions(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}, AccountVersion: dahlia})
	for name, refused := range map[string]bool{"a key that may read the account": false, "one that may not": true} {
		for configured, want := range map[string]string{"": stripetest.APIVersion, "account": dahlia, "2026-03-25.dahlia": "2026-03-25.dahlia"} {
			t.Run(name+" "+configured, func(t *testing.T) {
				if refused {
					defer w.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/account"})()
				}
				result, err := w.source.Check(t.Context(), connector.CheckRequest{Config: with(w.config, "api_version", configured), Streams: []string{"charges"}})
				if err != nil || len(result.Problems) > 0 {
					t.Fatal(err, result.Problems)
				}
				if got := result.AccountAttributes["account_api_version"]; got != dahlia {
					t.Errorf("the account's version is %q", got)
				}
				if got := result.AccountAttributes["api_version"]; got != want {
					t.Errorf("the connector's version is %q, want %q", got, want)
				}
				if got := result.AccountAttributes["advice"]; strings.Contains(got, dahlia+", and this configuration reads "+want) != (want != dahlia) {
					t.Errorf("the advice is %q", got)
				}
			})
		}
	}
}

// TestVersionOfAccount reads in the account's version, which changes during the Read.
func TestVersionOfAccount(t *testing.T) {
	var lock sync.Mutex
	asked := map[string]int{}
	var upgrade func(version string)
	w := newWorld(t, stripetest.Options{
		Objects: map[string]int{"*": 3}, AccountVersion: dahlia,
		Observe: func(r stripetest.Request) {
			lock.Lock()
			defer lock.Unlock()
			asked[r.Version]++
			if r.Path == "/v1/charges" {
				upgrade(stripetest.APIVersion)
			}
		},
	})
	lock.Lock()
	upgrade = w.SetAccountVersion
	lock.Unlock()
	w.config = with(w.config, "api_version", "account")
	for _, stream := range w.catalog(t) {
		if version, _ := rawjson.Lookup(string(stream.JSONSchema), "x-api-version"); version != rawjson.Quote(dahlia) {
			t.Fatalf("%s is said to be of version %s", stream.Name, version)
		}
	}
	lock.Lock()
	clear(asked)
	lock.Unlock()
	sink, _ := w.read(t, connector.ReadRequest{Streams: selected("charges", "invoices", "invoice_payments")})
	for _, record := range sink.records("invoices") {
		if _, old := rawjson.Lookup(record.Data, "charge"); old {
			t.Fatalf("the record has the shape of an old version: %s", record.Data)
		}
	}
	lock.Lock()
	defer lock.Unlock()
	if asked[""] != 1 || len(asked) != 2 || asked[dahlia] == 0 {
		t.Errorf("the requests name these versions: %v; want one without a version", asked)
	}
}

// TestVersionsThatAreNotKnown checks that an account with an unknown version results in a clear configuration error.
func TestVersionsThatAreNotKnown(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}, AccountVersion: "2019-02-19"})
	w.config = with(w.config, "api_version", "account")
	expect := func(err error) {
		t.Helper()
		failure, ok := connector.FailureIn(err)
		if !ok || failure.Class != connector.ConfigError || len(failure.Violations) != 1 || failure.Violations[0].Field != "config.api_version" {
			t.Fatalf("got %v", err)
		}
		for _, words := range []string{"2019-02-19", dahlia, stripetest.APIVersion} {
			if !strings.Contains(failure.Violations[0].Description, words) {
				t.Errorf("got %q, want %q in it", failure.Violations[0].Description, words)
			}
		}
	}
	_, err := w.source.Discover(t.Context(), connector.DiscoverRequest{Config: w.config})
	expect(err)
	_, err = w.source.Read(t.Context(), connector.ReadRequest{Config: w.config, Streams: selected("charges")}, &recorder{})
	expect(err)
	result, err := w.source.Check(t.Context(), connector.CheckRequest{Config: w.config})
	if err != nil || len(result.Problems) != 1 {
		t.Fatal(err, result)
	}
	expect(result.Problems[0])
}

// TestStreamsOfOtherVersions checks that a stream that the configured version lacks is refused with the versions that have it.
func TestStreamsOfOtherVersions(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}})
	for stream, versions := range map[string][2]string{ // the version without it, and the one with it
		"invoice_payments": {stripetest.APIVersion, dahlia}, "issuing_settlements": {dahlia, oldest}, "climate_orders": {oldest, stripetest.APIVersion},
	} {
		config := with(w.config, "api_version", versions[0])
		_, err := w.source.Read(t.Context(), connector.ReadRequest{Config: config, Streams: selected(stream)}, &recorder{})
		failure, ok := connector.FailureIn(err)
		if !ok || len(failure.Violations) != 1 || !strings.Contains(failure.Violations[0].Description, "set api_version to "+versions[1]) {
			t.Errorf("%s: got %v", stream, err)
		}
	}
}

// TestMigration changes the version of streams that were read, twice, and back. Every row must have the shape of the version in force.
func TestMigration(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 30}})
	names := []string{"invoices", "subscriptions", "events"}
	streams := selected(names...)
	for i := range streams {
		streams[i].SyncMode = connector.Incremental
	}
	latest := map[string]connector.StreamState{}
	generations := map[string]int64{}
	for round, version := range []string{stripetest.APIVersion, dahlia, dahlia, "2026-07-29.dahlia", oldest} {
		sink, summary := w.read(t, connector.ReadRequest{Config: with(w.config, "api_version", version), Streams: streams, States: slices.Collect(maps.Values(latest))})
		for _, s := range sink.states() {
			latest[s.Stream] = s
		}
		for _, s := range summary.Streams {
			migrates := round > 0 && version != dahlia || round == 1
			if s.Stream == "events" {
				migrates = false // its rows keep the shape in which the events happened
			}
			if s.Status != connector.Complete || round > 0 && (s.Generation > generations[s.Stream]) != migrates {
				t.Errorf("%s in %s, round %d: %v, generation %d after %d", s.Stream, version, round, s.Status, s.Generation, generations[s.Stream])
			}
			generations[s.Stream] = s.Generation
			if migrates {
				expectShape(t, w, version, s.Stream, sink)
			}
		}
		announced := slices.IndexFunc(sink.messages, func(m connector.Message) bool {
			entry, ok := m.(*connector.LogEntry)
			return ok && entry.Stream == "invoices" && strings.Contains(entry.Message, "The API version is "+version+" now")
		}) >= 0
		if announced != (round == 1 || round > 2) {
			t.Errorf("round %d: announced: %v", round, announced)
		}
		for _, s := range latest {
			if got, _ := rawjson.Lookup(string(s.State), "api_version"); got != rawjson.Quote(version) && s.Stream != "events" {
				t.Errorf("round %d: the state of %s has version %s", round, s.Stream, got)
			}
		}
	}
}

// expectShape checks that all rows of a stream were sent, in the shape of a version.
func expectShape(t *testing.T, w *world, version, stream string, sink *recorder) {
	t.Helper()
	want := w.truthIn(t, version, "/v1/"+stream)
	got := rows(t, []string{"id"}, sink.records(stream))
	if len(got) != len(want) {
		t.Errorf("%s: %d rows in %s, want %d", stream, len(got), version, len(want))
	}
	for id, objects := range want {
		if row := got[id]; row == nil || !includes(row, objects[0]) {
			t.Errorf("%s: %s doesn't have the shape of %s", stream, id, version)
		}
	}
}

// TestMigrationNamesFields checks that the message about a migration says what happens to columns.
func TestMigrationNamesFields(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}})
	first, _ := w.read(t, connector.ReadRequest{Streams: selected("charges")})
	states := first.states()
	for i := range states { // as an older release wrote it
		var members map[string]json.RawMessage
		if err := json.Unmarshal(states[i].State, &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "api_version")
		members["version"], members["windows"] = json.RawMessage("4"), json.RawMessage(`[{"from":`+string(members["from"])+`,"to":`+string(members["to"])+`}]`)
		states[i].State, _ = json.Marshal(members)
	}
	sink, _ := w.read(t, connector.ReadRequest{Config: with(w.config, "api_version", dahlia), Streams: selected("charges"), States: states})
	var log []string
	for _, m := range sink.messages {
		if entry, ok := m.(*connector.LogEntry); ok {
			log = append(log, entry.Message)
		}
	}
	if text := strings.Join(log, "\n"); !strings.Contains(text, "was 2023-10-16") || !strings.Contains(text, "No longer filled: ") || !strings.Contains(text, "invoice") {
		t.Errorf("the log says %q", text)
	}
}

// TestPayloadsOfTheVersionAreTrusted counts the requests for changes whose events have the configured version or another one. If it is
// another one, the log must say so, once.
func TestPayloadsOfTheVersionAreTrusted(t *testing.T) {
	for version, want := range map[string]int{dahlia: 1, "account": 2, stripetest.APIVersion: 11} {
		t.Run(version, func(t *testing.T) {
			r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 20}, AccountVersion: dahlia}, "customers")
			r.config = rawjson.WithMember(r.config, "api_version", rawjson.Quote(version))
			r.sync()
			r.clock = r.clock.Add(time.Hour)
			for _, id := range r.ids("/v1/customers")[:10] {
				ok(t, r.stripe.Update(id))
				r.clock = r.clock.Add(time.Second)
			}
			r.clock = r.clock.Add(time.Minute)
			r.stripe.ResetRequests()
			sink, _ := r.sync()
			var advice []string
			for _, m := range sink.messages {
				if entry, is := m.(*connector.LogEntry); is && strings.Contains(entry.Message, "API version") {
					advice = append(advice, entry.Message)
				}
			}
			if says := strings.Join(advice, "\n"); version != stripetest.APIVersion && says != "" || version == stripetest.APIVersion &&
				(len(advice) != 1 || !strings.HasPrefix(says, "Objects re-read because their events have another API version: 10. ") || !strings.Contains(says, `set api_version to "account"`)) {
				t.Errorf("the log says %q", says)
			}
			if got := r.stripe.RequestCount(""); got != want {
				t.Errorf("10 changes took %d requests, want %d", got, want)
			}
			got := map[any]map[string]any{}
			for _, row := range r.rows["customers"] {
				got[row.data["id"]] = row.data
			}
			shape := strings.Replace(version, "account", dahlia, 1)
			for id, data := range r.stripe.TruthIn(shape, "/v1/customers") {
				var want map[string]any
				ok(t, json.Unmarshal(data, &want))
				if !includes(got[id], want) {
					t.Errorf("the row of %s is %v, want %v", id, got[id], want)
				}
			}
		})
	}
}

// TestNewFieldsAreReported adds fields that the schema doesn't have to some objects. They must be in the records and, once for each
// Read, in the log.
func TestNewFieldsAreReported(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 30, "/v1/coupons": 5}})
	n := 0
	for id := range w.truth(t, "/v1/charges") {
		if n++; n <= 3 {
			_, err := w.Distort(id, stripetest.Edit{Property: "hologram", JSON: `{"a":1}`}, stripetest.Edit{Property: "billing_details.planet", JSON: "null"})
			ok(t, err)
		}
	}
	sink, summary := w.read(t, connector.ReadRequest{Streams: selected("charges", "coupons")})
	carried := 0
	for _, record := range sink.records("charges") {
		if _, has := rawjson.Lookup(record.Data, "hologram"); has {
			carried++
		}
	}
	if carried != 3 {
		t.Errorf("%d records have the new field, want 3", carried)
	}
	var reported []string
	for _, m := range sink.messages {
		if entry, is := m.(*connector.LogEntry); is && strings.Contains(entry.Message, "differs from its schema") {
			reported = append(reported, entry.Message)
		}
	}
	want := "charges differs from its schema of API version 2023-10-16 in the 30 records examined. " +
		"New fields, which the schema doesn't describe: billing_details.planet (3), hologram (3)."
	if len(reported) != 1 || reported[0] != want {
		t.Errorf("got %q, want %q", reported, want)
	}
	drift := &connector.Drift{Examined: 30, New: []connector.NewField{{Path: "billing_details.planet", Records: 3}, {Path: "hologram", Records: 3}}}
	if diff := cmp.Diff([]*connector.Drift{drift, {Examined: 5}}, []*connector.Drift{summary.Streams[0].Drift, summary.Streams[1].Drift}); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// TestOrdinaryRecordsMatchTheirSchema reads every stream of each version, from a Stripe that sends secrets, too. No record may have a
// field that its schema lacks.
func TestOrdinaryRecordsMatchTheirSchema(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 3}, Secrets: true})
	for _, version := range []string{oldest, stripetest.APIVersion, dahlia} {
		w.config = with(w.config, "api_version", version)
		var names []string
		for _, s := range w.catalog(t) {
			names = append(names, s.Name)
		}
		_, summary := w.read(t, connector.ReadRequest{Streams: selected(names...)})
		for _, s := range summary.Streams {
			if s.Drift != nil && len(s.Drift.New)+len(s.Drift.Absent) > 0 {
				t.Errorf("%s in %s: new fields %v, absent fields %v", s.Stream, version, s.Drift.New, s.Drift.Absent)
			}
		}
	}
}
