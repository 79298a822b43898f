package airbyte_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/airbyte"
)

// run runs a command. All lines of its output must be messages.
func run(t *testing.T, w *world, command func(*airbyte.Connector) error) ([]line, error) {
	t.Helper()
	var out bytes.Buffer
	err := command(w.connector(&out))
	lines, problems := decode(out.Bytes())
	if len(problems) > 0 {
		t.Fatalf("%s", strings.Join(problems, "\n"))
	}
	return lines, err
}

func check(t *testing.T, w *world) ([]line, error) {
	return run(t, w, func(c *airbyte.Connector) error { return c.Check(t.Context(), w.configuration()) })
}

func TestSpec(t *testing.T) {
	lines, err := run(t, newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0}}), (*airbyte.Connector).Spec)
	if err != nil || len(lines) != 1 || lines[0].Type != "SPEC" {
		t.Fatalf("%v: %+v", err, lines)
	}
	schema := compile(lines[0].Spec.Specification)
	for text, valid := range map[string]bool{
		`{"client_secret":"sk_test_1"}`: true, `{}`: false, `{"client_secret":"sk_test_1","anything":1}`: true,
		`{"client_secret":"sk_test_1","account_id":"acct_1","start_date":"2020-01-01T00:00:00Z","lookback_window_days":0,"slice_range":365,"num_workers":10,"call_rate_limit":25,"api_retention_streams":[]}`: true,
		`{"client_secret":"sk_test_1","start_date":"yesterday"}`: false,
	} {
		if err := validate(schema, []byte(text)); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
	if !strings.Contains(string(lines[0].Spec.Specification), `"airbyte_secret":true`) {
		t.Error("no field is secret")
	}
}

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		config map[string]any
		keys   map[string]stripetest.Key
		status string
		says   string
	}{
		"good":         {nil, nil, "SUCCEEDED", ""},
		"unknown key":  {nil, map[string]stripetest.Key{"sk_test_other": {}}, "FAILED", ""},
		"expired":      {nil, map[string]stripetest.Key{"sk_test_123": {Expired: true}}, "FAILED", ""},
		"restricted":   {map[string]any{"client_secret": "rk_test_1"}, map[string]stripetest.Key{"rk_test_1": {Permissions: []string{"rak_charge_read"}}}, "SUCCEEDED", "The key can't read the stream customers."},
		"no permision": {map[string]any{"client_secret": "rk_test_1"}, map[string]stripetest.Key{"rk_test_1": {}}, "FAILED", ""},
		"bad config":   {map[string]any{"start_date": "soon"}, nil, "FAILED", ""},
		"no config":    {map[string]any{"client_secret": 5}, nil, "FAILED", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}, Keys: test.keys})
			for field, value := range test.config {
				w.config[field] = value
			}
			lines, err := check(t, w)
			last := lines[len(lines)-1]
			if err != nil || last.ConnectionStatus.Status != test.status {
				t.Errorf("%v, %+v, want %s", err, last, test.status)
			}
			if (last.ConnectionStatus.Message != "") != (test.status == "FAILED") {
				t.Errorf("the message is %q", last.ConnectionStatus.Message)
			}
			if !strings.Contains(logged(lines, "WARN"), test.says) {
				t.Errorf("logged %s, want %s", logged(lines, "WARN"), test.says)
			}
		})
	}
}

func TestDiscoverLeavesOutWhatTheKeyMayNotRead(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 1}})
	defer w.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/coupons"})()
	for _, s := range w.discover() {
		if s.Name == "coupons" {
			t.Error("coupons are offered")
		}
	}
}

func TestRefusedStreams(t *testing.T) {
	for _, mode := range []string{"incremental", "full_refresh"} {
		w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/coupons": 2, "/v1/charges": 2}})
		found := w.discover()
		catalog := configured(found, mode, "coupons", "charges")
		d := newDestination(found, false)
		w.sync(d, catalog)
		before := d.states["coupons"]
		allow := w.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/coupons", Reason: "rak_coupon_read"})
		w.stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: "/v1/events"})
		for _, state := range []json.RawMessage{nil, d.state()} {
			w.wait(time.Hour)
			lines, err := w.read(catalog, state, -1)
			want, failed := "map[charges:COMPLETE coupons:COMPLETE]", ""
			if mode == "full_refresh" {
				want, failed = "map[charges:COMPLETE coupons:INCOMPLETE]", "coupons config_error"
			}
			if got := fmt.Sprint(ends(lines)); got != want || (err != nil) != (failed != "") || strings.Join(failures(lines), " ") != failed {
				t.Errorf("%s: %s, %v, %v", mode, got, err, failures(lines))
			}
			if mode == "full_refresh" {
				continue
			}
			if !strings.Contains(logged(lines, "WARN"), "rak_coupon_read") {
				t.Errorf("no warning names the permission: %s", logged(lines, "WARN"))
			}
			d.load(lines)
			if state != nil && !cmp.Equal(string(d.states["coupons"]), string(before)) {
				t.Errorf("the state became %s", d.states["coupons"])
			}
			d.states["coupons"] = before
		}
		allow()
		w.sync(d, catalog)
		w.expect(d, []string{"coupons", "charges"}, nil)
	}
}

// TestStateFiles passes files of every kind to --state. An invalid one must result in a config_error, never in a stream that is read
// as if it were new.
func TestStateFiles(t *testing.T) {
	of := func(state string) string {
		return `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"coupons"},"stream_state":` + state + `}}]`
	}
	tests := map[string]struct {
		content string
		ok      bool
	}{
		"nothing": {"", true}, "null": {"null", true}, "an empty list": {"[]", true}, "an empty object": {"{}", true}, "blanks": {" \n", true},
		"null state": {of("null"), true}, "empty state": {of("{}"), true}, "a string": {of(`{"updated":"1772366000"}`), true}, "an integer": {of(`{"updated":1772366000}`), true},
		"a marker": {of(`{"__ab_no_cursor_state_message":true}`), true},
		"legacy":   {`{"coupons":{"updated":1772366000}}`, true}, "wrapped": {`{"type":"LEGACY","data":{"coupons":{"updated":1772366000}}}`, true},
		"data alone": {`{"data":{"coupons":{"updated":1772366000}}}`, true},
		"global":     {`[{"type":"GLOBAL","global":{"shared_state":{},"stream_states":[{"stream_descriptor":{"name":"coupons"},"stream_state":{"updated":"1772366000"}}]}}]`, true},
		"a message":  {`[{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"coupons"},"stream_state":{"updated":"1772366000"}}}}]`, true},
		"of another": {`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"charges"},"stream_state":5}}]`, true},

		"not JSON": {"{", false}, "a text": {`"state"`, false}, "a number": {"5", false}, "true": {"true", false}, "numbers": {"[1]", false}, "nulls": {"[null]", false},
		"no stream": {`[{"type":"STREAM"}]`, false}, "no name": {`[{"type":"STREAM","stream":{"stream_state":{}}}]`, false}, "another type": {`[{"type":"WHATEVER"}]`, false},
		"a number for a type": {`[{"type":5}]`, false}, "legacy text": {`{"coupons":"1772366000"}`, false},
		"a text for a state": {of(`"1772366000"`), false}, "a number for a state": {of("1772366000"), false}, "a list for a state": {of("[]"), false}, "a truth for a state": {of("true"), false},
		"no time": {of(`{"updated":"soon"}`), false}, "null cursor": {of(`{"updated":null}`), false}, "milliseconds": {of(`{"updated":1772366000000}`), false},
		"the future": {of(`{"updated":"1900000000"}`), false}, "another connector's": {of(`{"cursor":"abc"}`), false}, "a large text": {of(`{"updated":"` + strings.Repeat("9", 5<<20) + `"}`), false},
		"deep":    {of(strings.Repeat(`{"state":`, 500) + "1" + strings.Repeat("}", 500)), false},
		"our own": {of(`{"stripe_connector":{"until":0,"state":{"version":4}}}`), false}, "our own as text": {of(`{"stripe_connector":"x"}`), false},
		"our own of a later release": {of(`{"stripe_connector":{"until":0,"state":{"version":99}}}`), false}, "our own with more": {of(`{"stripe_connector":{"until":0,"more":1}}`), false},
		"our own without a state": {of(`{"stripe_connector":{"until":0,"state":5}}`), false},
	}
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/coupons": 2}})
	catalog := configured(w.discover(), "incremental", "coupons")
	for name, test := range tests {
		lines, err := w.read(catalog, json.RawMessage(test.content), -1)
		records := slices.ContainsFunc(lines, func(l line) bool { return l.Type == "RECORD" })
		types := strings.Join(failures(lines), ",")
		switch {
		case test.ok && (err != nil || ends(lines)["coupons"] != "COMPLETE"):
			t.Errorf("%s: %v, %s", name, err, types)
		case !test.ok && name == "our own of a later release" && types == "coupons transient_error" && !records:
		case !test.ok && (err == nil || records || !strings.Contains(types, "config_error")):
			t.Errorf("%s: %v, records %v, failures %q", name, err, records, types)
		}
	}
	for _, catalog := range []string{"", "null", "[]", "{}", `{"streams":5}`, `{"streams":[5]}`, `{"streams":[{}]}`, `{"streams":[{"stream":{"name":"coupons"}},{"stream":{"name":"coupons"}}]}`, `{"streams":[{"stream":{"name":"coupons"},"sync_mode":"sometimes"}]}`} {
		lines, err := run(t, w, func(c *airbyte.Connector) error {
			return c.Read(t.Context(), w.configuration(), json.RawMessage(catalog), nil)
		})
		if err == nil || !strings.Contains(strings.Join(failures(lines), ","), "config_error") {
			t.Errorf("catalog %s: %v, %v", catalog, err, failures(lines))
		}
	}
}

// TestColumnSelection checks that deselected columns aren't sent.
func TestColumnSelection(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 3, "/v1/subscriptions": 3, "/v1/customers": 2}})
	some := func(name string, columns string) catalogStream {
		return catalogStream{Name: name, Modes: []string{"incremental"}, JSONSchema: json.RawMessage(`{"properties":{` + columns + `}}`)}
	}
	catalog := configured([]catalogStream{some("charges", `"id":{},"amount":{},"updated":{}`), some("subscriptions", `"id":{}`), some("customers", "")}, "incremental")
	lines, err := w.read(catalog, nil, -1)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"charges": "amount created id updated", "subscriptions": "created id is_deleted status updated", "customers": "created id updated"}
	for _, l := range lines {
		var row map[string]any
		if l.Type != "RECORD" || json.Unmarshal(l.Record.Data, &row) != nil {
			continue
		}
		names := make([]string, 0, len(row))
		for name := range row {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want[l.Record.Stream] && got != strings.Replace(want[l.Record.Stream], "is_deleted ", "", 1) {
			t.Errorf("%s has %s, want %s", l.Record.Stream, got, want[l.Record.Stream])
		}
	}
}

// TestLargeRecord reads an object of five megabytes.
func TestLargeRecord(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 3}})
	if _, err := w.stripe.Distort(w.ids("charges")[1], stripetest.Edit{Property: "description", JSON: stripetest.Text(5 << 20)}); err != nil {
		t.Fatal(err)
	}
	found := w.discover()
	d := newDestination(found, true)
	w.sync(d, configured(found, "incremental", "charges"))
	w.expect(d, []string{"charges"}, nil)
}

// TestInterrupted ends the context in the middle of a read: the streams end INCOMPLETE, and the next read resumes.
func TestInterrupted(t *testing.T) {
	names := []string{"charges", "customers", "invoices"}
	for n := 1; n <= 9; n++ {
		w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 20, "/v1/customers": 20, "/v1/invoices": 20}})
		w.pageSize = 5
		found := w.discover()
		catalog := configured(found, "incremental", names...)
		ctx, cancel := context.WithCancel(t.Context())
		w.requests, w.during = nil, map[int]func(){n: cancel}
		lines, err := run(t, w, func(c *airbyte.Connector) error { return c.Read(ctx, w.configuration(), catalog, nil) })
		if problems := judge(lines, names, true); len(problems) > 0 {
			t.Fatalf("after %d requests: %s", n, strings.Join(problems, "\n"))
		}
		if err == nil && slices.Contains(failures(lines), "charges transient_error") || err != nil && !errors.Is(err, airbyte.ErrReported) {
			t.Errorf("after %d requests: %v, %v", n, err, failures(lines))
		}
		w.during = nil
		d := newDestination(found, true)
		d.load(lines)
		w.sync(d, catalog)
		w.expect(d, names, nil)
		cancel()
	}
}

// script is a source that sends the messages of a script.
type script struct {
	connector.Source
	send func(sink connector.Sink) error
}

func (s script) Read(_ context.Context, _ connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	return connector.Summary{}, s.send(sink)
}

// TestHeartbeats checks what a source's heartbeats become: reasons for waiting, estimates, and states that keep the platform from
// giving up. No state is repeated once records have been sent after it.
func TestHeartbeats(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0}})
	send := func(sink connector.Sink) error {
		state := &connector.StateCheckpoint{StreamState: connector.StreamState{Stream: "charges", State: json.RawMessage(`{"n":1}`)}}
		batch := &connector.RecordBatch{Stream: "charges", Records: []connector.Record{{Data: `{"id":"ch_1","created":5}`, Operation: connector.Upsert, AsOf: w.now()}}}
		beat := func(fraction float64, until time.Time) *connector.Progress {
			return &connector.Progress{WaitingUntil: until, Streams: []connector.StreamProgress{{Stream: "charges", Records: 10, Fraction: fraction}}}
		}
		messages := []connector.Message{
			&connector.StreamStatus{Stream: "charges", Status: connector.Started},
			beat(0, w.now().Add(20*time.Second)), beat(0, w.now().Add(20*time.Second)),
			&connector.StreamStatus{Stream: "charges", Status: connector.Running},
			batch, beat(0.1, time.Time{}), beat(0.1, time.Time{}), state, batch, state,
		}
		for _, m := range messages {
			if err := sink.Send(t.Context(), m); err != nil {
				return err
			}
		}
		for range 5 {
			w.wait(5 * time.Minute)
			if err := sink.Send(t.Context(), beat(0.2, time.Time{})); err != nil {
				return err
			}
		}
		return sink.Send(t.Context(), &connector.StreamStatus{Stream: "charges", Status: connector.Complete})
	}
	lines, err := run(t, w, func(c *airbyte.Connector) error {
		c.Source = script{c.Source, send}
		return c.Read(t.Context(), w.configuration(), json.RawMessage(`{"streams":[{"stream":{"name":"charges"},"sync_mode":"incremental"}]}`), nil)
	})
	if problems := judge(lines, []string{"charges"}, true); err != nil || len(problems) > 0 {
		t.Fatalf("%v: %v", err, problems)
	}
	var got []string
	for _, l := range lines {
		switch {
		case l.Trace.Type == "ESTIMATE":
			got = append(got, fmt.Sprint("estimate ", l.Trace.Estimate.Rows))
		case l.Trace.Type == "STREAM_STATUS" && len(l.Trace.StreamStatus.Reasons) > 0:
			got = append(got, l.Trace.StreamStatus.Status+" "+l.Trace.StreamStatus.Reasons[0].Type)
		case l.Trace.Type == "STREAM_STATUS":
			got = append(got, l.Trace.StreamStatus.Status)
		case l.Type != "LOG":
			got = append(got, l.Type)
		}
	}
	want := []string{"STARTED", "RUNNING RATE_LIMITED", "RUNNING", "RECORD", "estimate 100", "STATE", "RECORD", "STATE", "estimate 50", "STATE", "STATE", "COMPLETE"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBrokenConnector checks that a bug is reported as one. For check, that means no CONNECTION_STATUS.
func TestBrokenConnector(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0}})
	send := func(sink connector.Sink) error {
		_ = sink.Send(t.Context(), &connector.StreamStatus{Stream: "charges", Status: connector.Started})
		return errors.New("a bug")
	}
	lines, err := run(t, w, func(c *airbyte.Connector) error {
		c.Source = script{c.Source, send}
		return c.Read(t.Context(), w.configuration(), configured([]catalogStream{{Name: "charges", JSONSchema: json.RawMessage("{}"), Modes: []string{"incremental"}}}, "incremental"), nil)
	})
	if !errors.Is(err, airbyte.ErrReported) || fmt.Sprint(failures(lines)) != "[system_error]" || ends(lines)["charges"] != "INCOMPLETE" {
		t.Errorf("%v, %v, %v", err, failures(lines), ends(lines))
	}
	lines, err = run(t, w, func(c *airbyte.Connector) error {
		c.Source = broken{c.Source}
		return c.Check(t.Context(), w.configuration())
	})
	if text := fmt.Sprintf("%+v", lines); strings.Contains(text, "sk_test_123") {
		t.Errorf("the key is written: %s", text)
	}
	if !errors.Is(err, airbyte.ErrReported) || fmt.Sprint(failures(lines)) != "[system_error]" || len(lines) != 1 {
		t.Errorf("%v, %+v", err, lines)
	}
}

type broken struct{ connector.Source }

func (broken) Check(context.Context, connector.CheckRequest) (connector.CheckResult, error) {
	return connector.CheckResult{}, &connector.Failure{Class: connector.System, Message: "A bug with sk_test_123.", Internal: "sk_test_123"}
}

// TestGoingBack checks that source-stripe finds its position in the states of this connector, and that this one notices when
// source-stripe has run since.
func TestGoingBack(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 3, "/v1/transfers": 2}})
	found := w.discover()
	names := []string{"customers", "transfers", "transfer_reversals"}
	catalog := configured(found, "incremental", names...)
	d := newDestination(found, false)
	w.sync(d, catalog)
	dialect := takeover.NewAirbyte(w.now)
	for _, name := range names {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(d.states[name], &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "stripe_connector")
		theirs, _ := json.Marshal(members)
		at, err := dialect.Position(w.names[name], theirs)
		if err != nil || at.After(w.now()) || at.Before(w.now().Add(-time.Hour)) {
			t.Errorf("%s: source-stripe would resume %s from %v: %v", name, theirs, at, err)
		}
	}
	// source-stripe reads a change and moves its cursor. It keeps the member that it doesn't know.
	w.wait(48 * time.Hour)
	if err := w.stripe.Update(w.ids("customers")[0]); err != nil {
		t.Fatal(err)
	}
	d.states["customers"] = json.RawMessage(strings.Replace(string(d.states["customers"]), `{"updated":"`, fmt.Sprintf(`{"updated":"%d","was":"`, w.now().Unix()), 1))
	d.states["customers"] = json.RawMessage(strings.Replace(string(d.states["customers"]), `"was"`, `"created"`, 1))
	w.wait(time.Hour)
	lines := w.sync(d, catalog)
	w.expect(d, names, nil)
	for _, request := range w.requests {
		if strings.HasPrefix(request, "/v1/customers?") {
			t.Errorf("the list is read: %s", request)
		}
	}
	if n := len(slices.DeleteFunc(lines, func(l line) bool { return l.Type != "RECORD" })); n != 1 {
		t.Errorf("%d records after one change", n)
	}
}

// TestVanishedChildren removes a line of an invoice, and an invoice with its lines. Where events show the lines, each has a record
// that says that it is gone. Where they don't, that is logged.
func TestVanishedChildren(t *testing.T) {
	names := []string{"invoices", "invoice_line_items"}
	for name, test := range map[string]struct {
		previous func(line string) []stripetest.Edit
		known    bool
	}{
		"shown": {func(line string) []stripetest.Edit {
			return []stripetest.Edit{{Property: "data.previous_attributes", JSON: `{"lines":{"data":[` + line + `]}}`}}
		}, true},
		"unchanged": {func(string) []stripetest.Edit {
			return []stripetest.Edit{{Property: "data.previous_attributes", JSON: `{"amount_due":1}`}}
		}, false},
		"not shown": {func(string) []stripetest.Edit { return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 2, "/v1/invoices": 4, "/v1/invoices/{invoice}/lines": 3}})
			found := w.discover()
			catalog := configured(found, "incremental", names...)
			d := newDestination(found, false)
			w.sync(d, catalog)
			w.wait(time.Hour)
			var id, invoice, text string
			for id, text = range w.lines() {
				invoice = w.stripe.Relation(id, "invoice")
				break
			}
			if err := w.stripe.Silent().Delete(id); err != nil {
				t.Fatal(err)
			}
			if _, err := w.stripe.Emit("invoice.updated", invoice, test.previous(text)...); err != nil {
				t.Fatal(err)
			}
			w.wait(time.Hour)
			lines := w.sync(d, catalog)
			if row := d.rows["invoice_line_items"][id]; row.deleted != test.known {
				t.Errorf("is_deleted of the line is %v: %s", row.deleted, row.data)
			}
			if told := strings.Contains(logged(lines, "INFO"), "some rows vanished"); told != (name == "not shown") {
				t.Errorf("logged %q", logged(lines, "INFO"))
			}
			if name != "shown" {
				return
			}
			for _, other := range w.ids("invoices") {
				if other != invoice {
					if err := w.stripe.Delete(other); err != nil {
						t.Fatal(err)
					}
				}
			}
			w.wait(time.Hour)
			w.sync(d, catalog)
			w.expect(d, names, nil)
			if deleted := len(d.rows["invoice_line_items"]) - len(w.lines()); deleted < 4 {
				t.Errorf("%d lines are deleted", deleted)
			}
		})
	}
}

// lines returns the line items of all invoices, by id.
func (w *world) lines() map[string]string {
	all := map[string]string{}
	for id, raw := range w.stripe.Truth("/v1/invoices/{invoice}/lines") {
		all[id] = string(raw)
	}
	return all
}

// TestLaterVersion checks that a later API version brings the stream that needs it, and that without it that stream fails alone.
func TestLaterVersion(t *testing.T) {
	w := newWorld(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/customers": 1}})
	w.config["api_version"] = "2026-08-26.dahlia"
	if !slices.ContainsFunc(w.discover(), func(s catalogStream) bool { return s.Name == "invoice_payments" }) {
		t.Error("invoice_payments isn't offered")
	}
	delete(w.config, "api_version")
	found := append(w.discover(), catalogStream{Name: "invoice_payments", JSONSchema: json.RawMessage("{}"), Modes: []string{"incremental"}})
	lines, err := w.read(configured(found, "incremental", "customers", "invoice_payments"), nil, -1)
	if got := fmt.Sprint(failures(lines), ends(lines)["customers"]); err == nil || got != "[invoice_payments config_error]COMPLETE" {
		t.Errorf("%v, %s", err, got)
	}
}
