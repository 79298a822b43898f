package heal_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/heal"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/selected"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

const overlap = clock.Second(300)

var now = time.Date(2024, 6, 15, 12, 0, 0, 0, time.UTC)

// world is a simulated Stripe and the streams of one Read.
type world struct {
	*stripetest.Server
	t       *testing.T
	streams map[string]*selected.Stream
	sent    []string // "stream operation key", in order
}

func newWorld(t *testing.T, objects map[string]int) *world {
	t.Helper()
	o := stripetest.Options{Objects: map[string]int{"*": 0}, Now: func() time.Time { return now }, End: now, Start: now.AddDate(-1, 0, 0)}
	for path, n := range objects {
		o.Objects[path] = n
	}
	w := &world{Server: stripetest.NewServer(o), t: t, streams: map[string]*selected.Stream{}}
	t.Cleanup(w.Close)
	return w
}

var operations = map[connector.Operation]string{connector.Upsert: "UPSERT", connector.Delete: "DELETE", connector.DeleteMatching: "DELETE_MATCHING"}

// Send records what the emitter sends.
func (w *world) Send(_ context.Context, m connector.Message) error {
	if batch, ok := m.(*connector.RecordBatch); ok {
		for _, record := range batch.Records {
			w.sent = append(w.sent, batch.Stream+" "+operations[record.Operation]+" "+record.Key)
		}
	}
	return nil
}

// id returns the nth id of a list, newest first.
func (w *world) id(path string, n int) string {
	for id := range w.Truth(path) {
		if n--; n < 0 {
			return id
		}
	}
	return ""
}

// created returns when the nth object of a list was created, newest first.
func (w *world) created(path string, n int) clock.Second {
	w.t.Helper()
	for _, text := range w.Truth(path) {
		if n--; n < 0 {
			var object struct{ Created int64 }
			if err := json.Unmarshal(text, &object); err != nil {
				w.t.Fatal(err)
			}
			return clock.Second(object.Created)
		}
	}
	return 0
}

// run heals streams that have set aside the given items, and returns the names of the streams of which an item was tried.
func (w *world) run(items map[string][]state.SetAside) []string {
	w.t.Helper()
	transport := api.NewTransport()
	defer transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	client := api.New(api.Options{
		Key: connector.NewSecret("sk_test_123"), Base: w.URL, Transport: transport, Now: func() time.Time { return now }, MaxRequestsPerSecond: 10_000,
		Retry: api.Retry{Initial: time.Millisecond, Max: 2 * time.Millisecond, Budget: 20 * time.Millisecond, Attempt: 5 * time.Second},
	})
	clockOf := func() time.Time { return now }
	emitter := emit.New(connector.ReadRequest{}, w, emit.Options{Now: clockOf})
	reader := &family.Reader{Client: client, Emitter: emitter, Table: table.Streams(schema.Oldest()), PageSize: 100, Now: clockOf}
	var streams []*selected.Stream
	for name, aside := range items {
		s := &selected.Stream{Row: reader.Table.Find(name), Generation: 1, Changes: state.ChangesFrom(clock.Of(now) - overlap)}
		if err := s.Register(emitter, clockOf); err != nil {
			w.t.Fatal(err)
		}
		s.Resume(aside)
		w.streams[name] = s
		streams = append(streams, s)
	}
	var tried []string
	_, err := emitter.Run(w.t.Context(), func(ctx context.Context) error {
		found, err := heal.Run(ctx, reader, streams, overlap)
		for _, s := range found {
			tried = append(tried, s.Row.Name)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(tried)
	return tried
}

// aside returns a set-aside item that is due. Since is how many seconds ago it was set aside.
func aside(item state.Item, since clock.Second) state.SetAside {
	at := clock.Of(now)
	return state.SetAside{Item: item, Since: at - since, Tries: 2, Next: at - 1, Cause: state.Cause{Class: connector.SourceData, Message: "broken"}}
}

func TestItemsAreRetried(t *testing.T) {
	type expectation struct {
		sent []string // in any order
		left bool     // the item stays set aside, and the wait doubles
		same bool     // it stays set aside as it was
	}
	tests := map[string]struct {
		stream  string
		objects map[string]int
		item    func(w *world) (item state.Item, since clock.Second)
		want    func(w *world) expectation
	}{
		"an object that can be read": {
			"charges", map[string]int{"/v1/charges": 3},
			func(w *world) (state.Item, clock.Second) { return state.Item{ID: w.id("/v1/charges", 1)}, 10 },
			func(w *world) expectation {
				return expectation{sent: []string{"charges UPSERT " + w.id("/v1/charges", 1)}}
			},
		},
		"an object that still can't be read": {
			"charges", map[string]int{"/v1/charges": 3},
			func(w *world) (state.Item, clock.Second) {
				w.Inject(stripetest.Fault{Kind: stripetest.ServerError, Object: w.id("/v1/charges", 1)})
				return state.Item{ID: w.id("/v1/charges", 1)}, 10
			},
			func(*world) expectation { return expectation{left: true} },
		},
		"an object during an outage": {
			"charges", map[string]int{"/v1/charges": 3},
			func(w *world) (state.Item, clock.Second) {
				w.Inject(stripetest.Fault{Kind: stripetest.ServerError})
				return state.Item{ID: w.id("/v1/charges", 1)}, 10
			},
			func(*world) expectation { return expectation{same: true} },
		},
		"an object that may not be visible yet": {
			"charges", map[string]int{"/v1/charges": 3},
			func(*world) (state.Item, clock.Second) { return state.Item{ID: "ch_gone"}, overlap - 1 },
			func(*world) expectation { return expectation{left: true} },
		},
		"an object that is gone": {
			"charges", map[string]int{"/v1/charges": 3},
			func(*world) (state.Item, clock.Second) { return state.Item{ID: "ch_gone"}, overlap },
			func(*world) expectation { return expectation{sent: []string{"charges DELETE ch_gone"}} },
		},
		"the children of a parent": {
			"invoice_line_items", map[string]int{"/v1/invoices": 2, "/v1/invoices/{invoice}/lines": 2},
			func(w *world) (state.Item, clock.Second) {
				return state.Item{ID: w.id("/v1/invoices", 1), Of: "invoices"}, 10
			},
			func(w *world) expectation {
				invoice := w.id("/v1/invoices", 1)
				lines := "/v1/invoices/" + invoice + "/lines"
				return expectation{sent: []string{
					"invoice_line_items DELETE_MATCHING " + invoice, "invoice_line_items UPSERT " + w.id(lines, 0), "invoice_line_items UPSERT " + w.id(lines, 1),
				}}
			},
		},
		"the parent of a stream that no longer exists": {
			"invoice_line_items", map[string]int{"/v1/invoices": 2},
			func(*world) (state.Item, clock.Second) { return state.Item{ID: "in_1", Of: "drafts"}, 10 },
			func(*world) expectation { return expectation{left: true} },
		},
		"a part of a list": {
			"refunds", map[string]int{"/v1/charges": 3, "/v1/refunds": 3},
			func(w *world) (state.Item, clock.Second) {
				return state.Item{ID: w.Relation(w.id("/v1/refunds", 0), "charge"), Via: "charge"}, 10
			},
			func(w *world) expectation {
				var sent []string
				for id := range w.Truth("/v1/refunds") {
					if w.Relation(id, "charge") == w.Relation(w.id("/v1/refunds", 0), "charge") {
						sent = append(sent, "refunds UPSERT "+id)
					}
				}
				return expectation{sent: sent}
			},
		},
		"a second with an object that still can't be read": {
			"charges", map[string]int{"/v1/charges": 3},
			func(w *world) (state.Item, clock.Second) {
				w.Break(w.id("/v1/charges", 1), stripetest.ServerError)
				at := w.created("/v1/charges", 1)
				return state.Item{From: at, To: at + 1}, 10
			},
			func(*world) expectation { return expectation{left: true} },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.objects)
			item, since := test.item(w)
			given := aside(item, since)
			if diff := cmp.Diff([]string{test.stream}, w.run(map[string][]state.SetAside{test.stream: {given}})); diff != "" {
				t.Errorf("tried (-want +got):\n%s", diff)
			}
			want := test.want(w)
			if diff := cmp.Diff(slices.Sorted(slices.Values(want.sent)), slices.Sorted(slices.Values(w.sent))); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			left := w.streams[test.stream].SetAside()
			switch {
			case want.same && !cmp.Equal(left, []state.SetAside{given}):
				t.Errorf("set aside: %+v, want it unchanged", left)
			case want.left && (len(left) != 1 || left[0].Item != item || left[0].Since != given.Since || left[0].Tries != 3 || left[0].Next != clock.Of(now)+40*60):
				t.Errorf("set aside: %+v, want a third attempt, and the next one in 40 minutes", left)
			case !want.same && !want.left && len(left) != 0:
				t.Errorf("still set aside: %+v", left)
			}
		})
	}
}

// TestOneRequestForSeveralStreams sets one second aside for a stream and its children: it is listed once, and both get its
// objects.
func TestOneRequestForSeveralStreams(t *testing.T) {
	w := newWorld(t, map[string]int{"/v1/invoices": 3, "/v1/invoices/{invoice}/lines": 1})
	at := w.created("/v1/invoices", 1)
	second := []state.SetAside{aside(state.Item{From: at, To: at + 1}, 10)}
	w.ResetRequests()
	w.run(map[string][]state.SetAside{"invoices": second, "invoice_line_items": second})
	if n := w.RequestCount("/v1/invoices"); n != 1 || w.RequestCount("") != 1 {
		t.Errorf("requests: %v, want one of /v1/invoices", w.Requests())
	}
	invoice := w.id("/v1/invoices", 1)
	want := []string{"invoice_line_items UPSERT " + w.id("/v1/invoices/"+invoice+"/lines", 0), "invoices UPSERT " + invoice}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(w.sent))); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// TestOnlyWhatIsDueIsRetried sets aside more items than one run retries, and some that aren't due. The most overdue are
// retried.
func TestOnlyWhatIsDueIsRetried(t *testing.T) {
	w := newWorld(t, map[string]int{"/v1/charges": 40, "/v1/coupons": 1})
	var items []state.SetAside
	for i := range 40 {
		item := aside(state.Item{ID: w.id("/v1/charges", i)}, 10_000)
		item.Next = clock.Of(now) - 30 + clock.Second(i) // from 31 on, they aren't due
		items = append(items, item)
	}
	later := aside(state.Item{ID: w.id("/v1/coupons", 0)}, 10)
	later.Next = clock.Of(now) + 1
	slices.Reverse(items)
	tried := w.run(map[string][]state.SetAside{"charges": items, "coupons": {later}})
	if diff := cmp.Diff([]string{"charges"}, tried); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
	var want []string
	for i := range 25 {
		want = append(want, "charges UPSERT "+w.id("/v1/charges", i))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(w.sent))); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if n := len(w.streams["charges"].SetAside()); n != 15 {
		t.Errorf("%d charges are left, want 15", n)
	}
}

// TestReadObjectsAreNewerThanEvents reads an item and checks that the payloads of earlier events won't replace it.
func TestReadObjectsAreNewerThanEvents(t *testing.T) {
	w := newWorld(t, map[string]int{"/v1/charges": 1})
	id := w.id("/v1/charges", 0)
	w.run(map[string][]state.SetAside{"charges": {aside(state.Item{ID: id}, 10)}})
	if reread := &w.streams["charges"].Changes.Reread; !reread.MayBeNewer("object "+id, clock.Of(now)) || reread.MayBeNewer("object "+id, clock.Of(now)+60) {
		t.Error("an event of this second could replace what was read, or all later ones are suspect")
	}
}
