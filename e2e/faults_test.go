package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// hasty stops retrying quickly.
var hasty = api.Retry{Initial: time.Millisecond, Max: 5 * time.Millisecond, Budget: 100 * time.Millisecond}

// closed is an address at which nothing ever listens.
const closed = "http://127.0.0.1:1"

// bounded limits the time of each attempt if the fault sends no response.
func bounded(retry api.Retry, fault stripetest.FaultKind) api.Retry {
	if fault == stripetest.Hanging {
		retry.Attempt = 300 * time.Millisecond
	}
	return retry
}

// rows returns the records as rows by id.
func rows(records []*connectorv1.Record) map[string]string {
	all := map[string]string{}
	for _, r := range records {
		var object struct{ ID string }
		_ = json.Unmarshal([]byte(r.GetData()), &object) // a row without an id equals no other
		all[object.ID] = r.GetData()
	}
	return all
}

// truth returns the rows that a complete read of a list must find, by id.
func truth(stripe *stripetest.Server, path string) map[string]string {
	all := map[string]string{}
	for id, data := range stripe.Truth(path) {
		all[id] = string(data)
	}
	return all
}

// sameRows compares rows, and reports one that differs.
func sameRows(t *testing.T, got, want map[string]string) {
	t.Helper()
	if len(want) == 0 {
		t.Error("there is nothing to compare with")
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
	for id, row := range want {
		if got[id] != row {
			t.Errorf("the row of %s is %q, want %s", id, got[id], row)
			return
		}
	}
}

// covered returns the records of a stream that precede its last state, and that state. It returns none if there is no state.
func (tr transcript) covered(stream string) ([]*connectorv1.Record, *connectorv1.StreamState) {
	var all, before []*connectorv1.Record
	var last *connectorv1.StreamState
	for _, m := range tr.messages {
		if b := m.GetRecords(); b.GetStream() == stream {
			all = append(all, b.GetRecords()...)
		}
		if s := m.GetCheckpoint().GetState(); s.GetStream() == stream {
			last, before = s, slices.Clone(all)
		}
	}
	return before, last
}

// troubles are transient faults of Stripe or of the network.
var troubles = map[string]struct {
	kind stripetest.FaultKind
	code codes.Code
	// reason is the reason reported if the fault persists.
	reason string
}{
	"HTML":              {stripetest.BadGateway, codes.Unavailable, "TRANSIENT"},
	"500":               {stripetest.ServerError, codes.Unavailable, "TRANSIENT"},
	"429":               {stripetest.RateLimited, codes.ResourceExhausted, "RATE_LIMIT"},
	"locked object":     {stripetest.LockTimeout, codes.Unavailable, "TRANSIENT"},
	"truncated JSON":    {stripetest.Truncated, codes.Unavailable, "TRANSIENT"},
	"empty body":        {stripetest.EmptyBody, codes.Unavailable, "TRANSIENT"},
	"other JSON":        {stripetest.WrongContent, codes.Unavailable, "TRANSIENT"},
	"broken connection": {stripetest.Dropped, codes.Unavailable, "TRANSIENT"},
	"silence":           {stripetest.Hanging, codes.Unavailable, "TRANSIENT"},
}

// TestPassingFaults injects each fault temporarily. The rows must match the truth, and the summary must count the retries.
func TestPassingFaults(t *testing.T) {
	t.Parallel()
	const times = 3
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 350, "*": 3}})
			stripe.Inject(stripetest.Fault{Kind: trouble.kind, Path: "/v1/charges", Skip: 1, Times: times})
			client := dial(t, serve(t, stripe.URL, bounded(quick, trouble.kind), io.Discard))
			all := read(t, client, &connectorv1.ReadRequest{
				Config: configuration(t, simulatedConfig(stripe.URL)), Streams: selectStreams("charges", "refunds"),
			})
			if all.err != nil || all.summary == nil {
				t.Fatalf("the Read ended with %v", all.err)
			}
			sameRows(t, rows(all.records("charges")), truth(stripe, "/v1/charges"))
			sameRows(t, rows(all.records("refunds")), truth(stripe, "/v1/refunds"))
			if n := all.summary.GetRetries(); n < times-1 { // a request for a smaller page is not a retry
				t.Errorf("%d retries", n)
			}
			if all.summary.GetHasMore() {
				t.Error("work is said to be left")
			}
		})
	}
}

// TestLastingFaults injects each fault permanently. The Read must fail cleanly with a valid last state. Once the fault is gone,
// another Read resumes from that state, and together the two return every row.
func TestLastingFaults(t *testing.T) {
	t.Parallel()
	const pages, good = 15, 12 // a state is due every ten pages
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/charges": 100 * pages, "*": 10}})
			stripe.Inject(stripetest.Fault{Kind: trouble.kind, Path: "/v1/charges", Skip: good})
			client := dial(t, serve(t, stripe.URL, bounded(hasty, trouble.kind), io.Discard))
			request := &connectorv1.ReadRequest{
				Config: configuration(t, simulatedConfig(stripe.URL)), Streams: selectStreams("customers", "charges"),
				CheckpointPolicy: everyTenPages(),
			}
			failed := read(t, client, request)
			r := refusalOf(t, failed.err)
			if r.code != trouble.code || r.reason != trouble.reason || r.failure.GetStream() != "charges" || !r.failure.GetRetryable() {
				t.Errorf("code %s, %v", r.code, r.failure)
			}
			checkWords(t, strings.ToLower(r.failure.GetMessage()), "try again later")
			checkEnd(t, failed, map[string]connectorv1.StreamStatus{
				"customers": connectorv1.StreamStatus_STREAM_STATUS_COMPLETE, "charges": connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE,
			})
			before, state := failed.covered("charges")
			if n := len(failed.records("charges")); len(before) == 0 || len(before) != n {
				t.Fatalf("the last state covers %d of %d records", len(before), n)
			}
			if final := failed.summary.GetStreams()[1].GetState(); !proto.Equal(state, final) {
				t.Errorf("the last state is %v, in the summary %v", state, final)
			}
			sameRows(t, rows(failed.records("customers")), truth(stripe, "/v1/customers"))

			request.Streams, request.States = selectStreams("charges"), []*connectorv1.StreamState{state}
			still := read(t, client, request)
			if refusalOf(t, still.err).code != trouble.code || len(still.records("charges")) > 0 {
				t.Errorf("before the fault is gone: %v", still.err)
			}
			if kept := still.summary.GetStreams()[0].GetState(); !proto.Equal(kept, state) {
				t.Errorf("another failure changed the state to %v", kept)
			}

			stripe.ClearFaults()
			resumed := read(t, client, request)
			if resumed.err != nil {
				t.Fatal(resumed.err)
			}
			if n := len(resumed.records("charges")); n > 100*pages-len(before) {
				t.Errorf("%d records after the state, which covers %d of %d", n, len(before), 100*pages)
			}
			sameRows(t, rows(slices.Concat(before, resumed.records("charges"))), truth(stripe, "/v1/charges"))
		})
	}
}

// checkEnd checks that a Read ended cleanly with these statuses.
func checkEnd(t *testing.T, all transcript, want map[string]connectorv1.StreamStatus) {
	t.Helper()
	if all.summary == nil || all.messages[len(all.messages)-1].GetSummary() == nil {
		t.Fatal("the last message is not a summary")
	}
	last := map[string]*connectorv1.StreamStatusChange{}
	for _, m := range all.messages {
		if s := m.GetStreamStatus(); s != nil {
			last[s.GetStream()] = s
		}
	}
	left := false
	for _, s := range all.summary.GetStreams() {
		incomplete := want[s.GetStream()] == connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE
		left = left || incomplete
		if s.GetStatus() != want[s.GetStream()] || last[s.GetStream()].GetStatus() != want[s.GetStream()] {
			t.Errorf("%s is %s, want %s", s.GetStream(), s.GetStatus(), want[s.GetStream()])
		}
		if (s.GetFailure() != nil) != incomplete || !proto.Equal(s.GetFailure(), last[s.GetStream()].GetFailure()) {
			t.Errorf("%s: the summary has %v, the status %v", s.GetStream(), s.GetFailure(), last[s.GetStream()].GetFailure())
		}
	}
	if len(all.summary.GetStreams()) != len(want) || all.summary.GetHasMore() != left {
		t.Errorf("%d streams, has_more %v", len(all.summary.GetStreams()), all.summary.GetHasMore())
	}
}

// TestFaultsOfChildren makes the lists of children fail permanently after the first few. The parents concerned must be
// reported, and their children read as soon as Stripe answers again.
func TestFaultsOfChildren(t *testing.T) {
	t.Parallel()
	const lines = "/v1/invoices/{invoice}/lines"
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/invoices": 12, lines: 12, "*": 3}})
	stripe.Inject(stripetest.Fault{Kind: stripetest.ServerError, Path: lines, Skip: 5})
	client := dial(t, serve(t, stripe.URL, hasty, io.Discard))
	request := &connectorv1.ReadRequest{
		Config: configuration(t, simulatedConfig(stripe.URL)), Streams: selectStreams("invoice_line_items"),
	}
	failed := read(t, client, request)
	if failed.err != nil {
		t.Fatal(failed.err)
	}
	checkEnd(t, failed, map[string]connectorv1.StreamStatus{"invoice_line_items": connectorv1.StreamStatus_STREAM_STATUS_COMPLETE})
	if n := failed.summary.GetStreams()[0].GetSetAsideTotal(); n == 0 {
		t.Error("nothing is said to be set aside")
	}
	before, state := failed.covered("invoice_line_items")
	if state != nil {
		request.States = append(request.States, state)
	}
	stripe.ClearFaults()
	resumed := read(t, client, request)
	if resumed.err != nil {
		t.Fatal(resumed.err)
	}
	got := rows(slices.Concat(before, resumed.records("invoice_line_items")))
	if want := stripe.Count(lines); len(got) != want {
		t.Errorf("%d rows, want %d", len(got), want)
	}
}

// TestNetworkFaults cannot reach Stripe at all, or reaches something else instead.
func TestNetworkFaults(t *testing.T) {
	t.Parallel()
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := map[string]http.HandlerFunc{
		"closed port":              nil,
		"page of a captive portal": answer(http.StatusOK, "text/html", "<html><body>Please log in</body></html>"),
		"HTML with 404":            answer(http.StatusNotFound, "text/html", "<html><body>Not Found</body></html>"),
		"HTML with 429":            answer(http.StatusTooManyRequests, "text/html", "<html><body>Slow down</body></html>"),
		"nothing with 503":         answer(http.StatusServiceUnavailable, "text/plain", ""),
		"list that never ends":     answer(http.StatusOK, "application/json", `{"object": "list", "data": [`+strings.Repeat("[", 20_000)),
		"redirection":              http.RedirectHandler("https://stripe.example.com/", http.StatusFound).ServeHTTP,
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := closed
			if handler != nil {
				other := httptest.NewServer(handler)
				t.Cleanup(other.Close)
				base = other.URL
			}
			client := dial(t, serve(t, base, hasty, io.Discard))
			all := read(t, client, &connectorv1.ReadRequest{
				Config: configuration(t, simulatedConfig(base)), Streams: selectStreams("charges", "customers"),
			})
			r := refusalOf(t, all.err)
			want, reason, words := codes.Unavailable, "TRANSIENT", []string{"api_base", "try again later"}
			switch name {
			case "HTML with 429":
				want, reason = codes.ResourceExhausted, "RATE_LIMIT"
			case "HTML with 404", "page of a captive portal", "redirection": // only a change of configuration helps
				want, reason, words = codes.InvalidArgument, "CONFIG", []string{"api_base", "between the connector and stripe"}
			}
			if r.code != want || r.reason != reason || r.failure.GetRetryable() == (reason == "CONFIG") {
				t.Errorf("code %s, reason %s, %v", r.code, r.reason, r.failure)
			}
			checkWords(t, strings.ToLower(r.failure.GetMessage()), words...)
			checkEnd(t, all, map[string]connectorv1.StreamStatus{
				"charges": connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE, "customers": connectorv1.StreamStatus_STREAM_STATUS_INCOMPLETE,
			})
			for _, m := range all.messages {
				if m.GetRecords() != nil || m.GetCheckpoint() != nil {
					t.Errorf("got %v", m)
				}
			}
		})
	}
}

// TestFaultsOfChecks makes each request of a Check fail permanently. Check must never report that the configuration works.
func TestFaultsOfChecks(t *testing.T) {
	t.Parallel()
	const body = `{"error": {"type": "api_error", "message": "An unexpected error has occurred."}}`
	tests := map[string]struct {
		status int
		class  connectorv1.FailureClass
	}{
		"429": {http.StatusTooManyRequests, connectorv1.FailureClass_FAILURE_CLASS_RATE_LIMIT},
		"409": {http.StatusConflict, connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT},
		"500": {http.StatusInternalServerError, connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Stripe-Should-Retry", "false") // avoids retries
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, body)
			}))
			t.Cleanup(stripe.Close)
			client := dial(t, serve(t, stripe.URL, hasty, io.Discard))
			problem := failedCheck(t, client, &connectorv1.CheckRequest{Config: configuration(t, simulatedConfig(stripe.URL))})
			if problem.GetClass() != test.class || int(problem.GetHttpStatus()) != test.status {
				t.Errorf("got %v", problem)
			}
		})
	}
}

// TestFaultsOfClients disconnects clients at various stages of a Read. The Read must end on the server, and Stripe must receive
// no more requests. TestMain checks for leaked goroutines.
func TestFaultsOfClients(t *testing.T) {
	t.Parallel()
	patient := api.Retry{Initial: time.Hour, Max: time.Hour, Budget: 10 * time.Hour}
	tests := map[string]struct {
		fault    *stripetest.Fault
		receives bool
	}{
		"that receive":           {nil, true},
		"that never receive":     {nil, false},
		"while Stripe is silent": {&stripetest.Fault{Kind: stripetest.Hanging, Path: "/v1/charges", Skip: 3}, true},
		"before a retry":         {&stripetest.Fault{Kind: stripetest.ServerError, Path: "/v1/charges", Skip: 3}, true},
	}
	for name, test := range tests {
		for _, how := range []string{"cancel", "close the connection"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				const pages = 400
				stripe := simulate(t, stripetest.Options{
					Objects: map[string]int{"/v1/charges": 100 * pages, "*": 3},
					Latency: func(string) time.Duration { return 5 * time.Millisecond },
				})
				if test.fault != nil {
					stripe.Inject(*test.fault)
				}
				log := &recorder{}
				address := serve(t, stripe.URL, patient, log)
				conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStaticStreamWindowSize(128<<10))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stream, err := connectorv1.NewConnectorServiceClient(conn).Read(ctx, &connectorv1.ReadRequest{
					Config: configuration(t, simulatedConfig(stripe.URL)), Streams: selectStreams("charges"),
				})
				if err != nil {
					t.Fatal(err)
				}
				var receiving sync.WaitGroup
				if test.receives {
					receiving.Go(func() {
						for err := error(nil); err == nil; _, err = stream.Recv() {
						}
					})
				}
				seen := func() int { return stripe.RequestCount("") }
				waitFor(t, "Stripe is asked", func() bool { return seen() >= 3 || !test.receives && seen() > 0 })
				if test.fault != nil || !test.receives {
					waitFor(t, "the Read waits", quiet(seen))
				}
				if how == "cancel" {
					cancel()
				} else if err := conn.Close(); err != nil {
					t.Fatal(err)
				}
				receiving.Wait()
				waitFor(t, "the call ends on the server", func() bool { return strings.Contains(log.String(), "finished call") })
				checkWords(t, log.String(), `"Canceled"`)
				waitFor(t, "Stripe is asked no more", quiet(seen))
				if n := seen(); n >= pages {
					t.Errorf("Stripe answered %d requests: that was not the middle", n)
				}
			})
		}
	}
}

// quiet returns a function that reports whether count stays the same for a while.
func quiet(count func() int) func() bool {
	return func() bool {
		before := count()
		time.Sleep(100 * time.Millisecond)
		return count() == before
	}
}

// waitFor polls until so returns true.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("gave up waiting until %s", what)
}
