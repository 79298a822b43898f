package stripe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// crowd responds to requests for the events of some seconds with pages of new events that never end. It passes all other
// requests on.
type crowd struct {
	http.RoundTripper
	first   int64 // the first of these seconds; 0 if there are none yet
	seconds int64 // the number of these seconds
	size    int   // of an event, in bytes
	charge  string

	page     []byte // a page to put the ids and times of its events into
	requests int
	peak     uint64 // bytes on the heap
}

// eventsPerPage is the number of events on each page, and crowdedID stands for an id there.
const eventsPerPage, crowdedID = 100, "00000000000"

// pageOf returns a page of changes of a charge, each event of about size bytes.
func pageOf(charge string, size int) []byte {
	event := fmt.Sprintf(`{"object":"event","type":"charge.updated","api_version":"2018-02-28","data":{"object":{"id":%q,"object":"charge","pad":"%s"}},"id":"evt_%s","created":1700000000}`,
		charge, strings.Repeat("x", size), crowdedID)
	return []byte(`{"object":"list","has_more":true,"data":[` + strings.Repeat(event+",", eventsPerPage-1) + event + "]}")
}

// forgetful is a recorder that doesn't keep records.
type forgetful struct{ recorder }

func (f *forgetful) Send(ctx context.Context, m connector.Message) error {
	if _, ok := m.(*connector.RecordBatch); ok {
		return nil
	}
	return f.recorder.Send(ctx, m)
}

func (c *crowd) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	from, _ := strconv.ParseInt(query.Get("created[gte]"), 10, 64)
	until, _ := strconv.ParseInt(query.Get("created[lt]"), 10, 64)
	second := min(until, c.first+c.seconds) - 1
	if c.first == 0 || req.URL.Path != "/v1/events" || second < max(from, c.first) {
		return c.RoundTripper.RoundTrip(req)
	}
	c.requests++
	if c.requests%10 == 0 {
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		c.peak = max(c.peak, memory.HeapAlloc)
	}
	if c.page == nil {
		c.page = pageOf(c.charge, c.size)
	}
	page := slices.Clone(c.page)
	for i, end := 0, 0; i < eventsPerPage; i++ {
		at := end + bytes.Index(page[end:], []byte(crowdedID))
		copy(page[at:], fmt.Sprintf("%08d%03d", c.requests, i))
		end = at + len(crowdedID)
		copy(page[end+len(`","created":`):], strconv.FormatInt(second, 10))
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, ContentLength: int64(len(page)),
		Header: http.Header{"Content-Type": {"application/json"}, "Request-Id": {"req_1"}}, Body: io.NopCloser(bytes.NewReader(page)),
	}, nil
}

// TestEndlessSecond syncs from an upstream that lists events without end, in one second or in many. The memory is bounded, and
// the user is told what was not applied.
func TestEndlessSecond(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long with the race detector")
	}
	const most = 128 << 20
	tests := map[string]struct {
		seconds int64
		size    int
		status  connector.Status
	}{
		"large events of one second":   {1, 100 << 10, connector.Complete},
		"small events of one second":   {1, 1, connector.Complete},
		"large events of every second": {20, 150 << 10, connector.Incomplete},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t, stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 3, "/v1/refunds": 3}}, "charges", "refunds", "events")
			c := &crowd{RoundTripper: api.NewTransport(), seconds: test.seconds, size: test.size, charge: r.nth("/v1/charges", 0)}
			transport := &closingTransport{c.RoundTripper}
			t.Cleanup(transport.CloseIdleConnections)
			r.source = stripe.New(stripe.Options{AllowedAPIBases: []string{r.stripe.URL}, Transport: c, Now: func() time.Time { return r.clock }})
			r.sync()
			r.clock = r.clock.Add(time.Minute)
			c.first = r.clock.Unix() - 40
			req := connector.ReadRequest{Config: connector.NewConfig(r.config)}
			for _, stream := range r.streams {
				req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: stream.Name, SyncMode: connector.Incremental})
				req.States = append(req.States, r.states[stream.Name])
			}
			sink := &forgetful{}
			summary, err := r.source.Read(t.Context(), req, sink)
			if err != nil && test.status == connector.Complete {
				t.Fatal(err)
			}
			for _, s := range summary.Streams {
				if s.Status != test.status {
					t.Errorf("%s is %s: %v", s.Stream, s.Status, s.Failure)
				}
				if s.Status == connector.Incomplete && !strings.Contains(s.Failure.Message, "does not end") {
					t.Errorf("%s: %v, want that the list does not end", s.Stream, s.Failure)
				}
				if s.Stream == "events" && s.SetAsideTotal == 0 {
					t.Error("no event is set aside")
				}
			}
			if logged := sink.logged("more than fit in memory"); len(logged) == 0 {
				t.Error("nothing says that events were not applied")
			}
			if c.peak == 0 || c.peak > most {
				t.Errorf("%d MiB on the heap, want at most %d", c.peak>>20, most>>20)
			}
			t.Logf("%d requests, %d MiB on the heap", c.requests, c.peak>>20)
		})
	}
}
