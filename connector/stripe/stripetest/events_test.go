package stripetest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRetention(t *testing.T) {
	c := newClock()
	s := New(c.options())
	ids, _ := readAll(t, s, "/v1/events", "", "100")
	if len(ids) < 30 {
		t.Fatalf("only %d events in the beginning", len(ids))
	}
	oldest := fetch[struct{ Created int64 }](t, s, "/v1/events/"+ids[len(ids)-1])
	if age := c.now.Sub(time.Unix(oldest.Created, 0)); age > Retention {
		t.Errorf("the oldest event is of %v ago", age)
	}
	c.wait(20 * 24 * time.Hour)
	later, _ := readAll(t, s, "/v1/events", "", "7")
	if len(later) == 0 || !slices.Equal(later, ids[:len(later)]) || len(later) == len(ids) {
		t.Errorf("20 days later, %d of %d events are left", len(later), len(ids))
	}
	old := ids[len(ids)-1]
	if status, e := errorOf(t, s, "/v1/events?starting_after="+old); status != 400 || !strings.Contains(e.Message, "aged out of our retention policy") {
		t.Error(status, e)
	}
	if status, _ := errorOf(t, s, "/v1/events/"+old); status != 404 {
		t.Error(status)
	}
}

func TestEventFilters(t *testing.T) {
	s := New(newClock().options())
	all, events := readAll(t, s, "/v1/events", "", "100")
	count := func(keep func(string) bool) (n int) {
		for _, id := range all {
			if keep(decode[struct{ Type string }](t, events[id]).Type) {
				n++
			}
		}
		return n
	}
	for query, keep := range map[string]func(string) bool{
		"type=customer.created": func(kind string) bool { return kind == "customer.created" },
		"type=invoice.*":        func(kind string) bool { return strings.HasPrefix(kind, "invoice.") },
		"types[]=invoice.created&types[]=charge.succeeded": func(kind string) bool {
			return kind == "invoice.created" || kind == "charge.succeeded"
		},
	} {
		got, _ := readAll(t, s, "/v1/events", query, "3")
		if want := count(keep); len(got) != want || want == 0 {
			t.Errorf("%s: %d events, want %d", query, len(got), want)
		}
	}
	if status, _ := errorOf(t, s, "/v1/events?types[]=a"+strings.Repeat("&types[]=a", 20)); status != 400 {
		t.Errorf("21 types: %d", status)
	}
}

// TestLateVisibility creates objects whose events and list entries are delayed, and checks that all of them eventually appear.
func TestLateVisibility(t *testing.T) {
	c := newClock()
	options := c.options()
	options.EventDelay, options.ObjectDelay = 20*time.Second, 10*time.Second
	s := New(options)
	before, events := s.Count("/v1/customers"), s.Count("/v1/events")
	for range 50 {
		id, err := s.Create("/v1/customers")
		if err != nil {
			t.Fatal(err)
		}
		fetch[page](t, s, "/v1/customers/"+id)
	}
	if s.Count("/v1/customers") >= before+25 || s.Count("/v1/events") >= events+25 {
		t.Errorf("at once, %d customers and %d events are visible", s.Count("/v1/customers")-before, s.Count("/v1/events")-events)
	}
	c.wait(5 * time.Second)
	if n := s.Count("/v1/customers") - before; n < 10 || n > 40 {
		t.Errorf("after 5 s, %d customers are visible", n)
	}
	c.wait(15 * time.Second)
	if s.Count("/v1/customers") != before+50 || s.Count("/v1/events") != events+50 {
		t.Errorf("after 20 s, %d customers and %d events are visible", s.Count("/v1/customers")-before, s.Count("/v1/events")-events)
	}
}

func TestOldEventsHaveAnotherShape(t *testing.T) {
	c := newClock()
	options := c.options()
	options.OldEvents = 0.5
	s := New(options)
	n := map[string]int{}
	for _, text := range fetch[page](t, s, "/v1/events?limit=100&type=customer.created").Data {
		e := decode[struct {
			APIVersion string `json:"api_version"`
			Data       struct{ Object map[string]any }
		}](t, text)
		n[e.APIVersion]++
		_, hasNew := e.Data.Object["balance"]
		_, hasOld := e.Data.Object["account_balance"]
		if old := e.APIVersion == "2018-02-28"; hasOld != old || hasNew && old {
			t.Errorf("%s: %v", e.APIVersion, e.Data.Object)
		}
	}
	if n["2018-02-28"] == 0 || n[APIVersion] == 0 || len(n) != 2 {
		t.Error(n)
	}
}

// TestShuffledTies checks that shuffling lists the same events, reordered only within a second.
func TestShuffledTies(t *testing.T) {
	orders := map[bool][]string{}
	for _, shuffled := range []bool{false, true} {
		options := newClock().options()
		options.ShuffleTies = shuffled
		s := New(options)
		customer := newestID(s, "/v1/customers")
		for range 20 {
			if err := s.Update(customer); err != nil {
				t.Fatal(err)
			}
		}
		ids, events := readAll(t, s, "/v1/events", "", "3")
		created := int64(1 << 62)
		for _, id := range ids {
			at := decode[struct{ Created int64 }](t, events[id]).Created
			if at > created {
				t.Errorf("%s comes after an older one", id)
			}
			created = at
		}
		orders[shuffled] = ids
	}
	if slices.Equal(orders[true], orders[false]) {
		t.Error("the order is the same")
	}
	slices.Sort(orders[true])
	slices.Sort(orders[false])
	if !slices.Equal(orders[true], orders[false]) {
		t.Error("the events differ")
	}
}
