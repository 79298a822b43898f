package stripetest

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestEdit applies edits to a text with and without white space.
func TestEdit(t *testing.T) {
	compacted := `{"id":"a","lines":{"data":[{"id":"l1","n":1},{"id":"l2"}],"has_more":false},"name":"\ud83d","empty":{}}`
	var pretty strings.Builder
	if err := jsonIndent(&pretty, compacted); err != nil {
		t.Fatal(err)
	}
	for edit, want := range map[Edit]string{
		{"lines", "{}"}:                      `{"id":"a","lines":{},"name":"\ud83d","empty":{}}`,
		{"lines", "null"}:                    `{"id":"a","lines":null,"name":"\ud83d","empty":{}}`,
		{"lines", ""}:                        `{"id":"a","name":"\ud83d","empty":{}}`,
		{"id", ""}:                           `{"lines":{"data":[{"id":"l1","n":1},{"id":"l2"}],"has_more":false},"name":"\ud83d","empty":{}}`,
		{"empty", ""}:                        `{"id":"a","lines":{"data":[{"id":"l1","n":1},{"id":"l2"}],"has_more":false},"name":"\ud83d"}`,
		{"lines.has_more", ""}:               `{"id":"a","lines":{"data":[{"id":"l1","n":1},{"id":"l2"}]},"name":"\ud83d","empty":{}}`,
		{"lines.data.0.id", "null"}:          `{"id":"a","lines":{"data":[{"id":null,"n":1},{"id":"l2"}],"has_more":false},"name":"\ud83d","empty":{}}`,
		{"lines.data.0", ""}:                 `{"id":"a","lines":{"data":[{"id":"l2"}],"has_more":false},"name":"\ud83d","empty":{}}`,
		{"lines.data.1.id", ""}:              `{"id":"a","lines":{"data":[{"id":"l1","n":1},{}],"has_more":false},"name":"\ud83d","empty":{}}`,
		{"empty.new", "1"}:                   `{"id":"a","lines":{"data":[{"id":"l1","n":1},{"id":"l2"}],"has_more":false},"name":"\ud83d","empty":{"new":1}}`,
		{"new", `"n"`}:                       `{"new":"n","id":"a","lines":{"data":[{"id":"l1","n":1},{"id":"l2"}],"has_more":false},"name":"\ud83d","empty":{}}`,
		{"name", `"\udc00 end"`}:             `{"id":"a","lines":{"data":[{"id":"l1","n":1},{"id":"l2"}],"has_more":false},"name":"\udc00 end","empty":{}}`,
		{"nothing.here", "1"}:                compacted,
		{"id.of", "1"}:                       compacted,
		{"lines.data.7.id", "1"}:             compacted,
		{"lines.data.new", "1"}:              compacted,
		{"lines.data.0.id.further.down", ""}: compacted,
	} {
		for _, text := range []string{compacted, pretty.String()} {
			if got := compact(t, edit.apply([]byte(text))); got != want {
				t.Errorf("%+v: %s, want %s", edit, got, want)
			}
		}
	}
}

func jsonIndent(b *strings.Builder, text string) error {
	c := json.RawMessage(text)
	out, err := json.MarshalIndent(struct{ V json.RawMessage }{c}, "", "  ")
	if err != nil {
		return err
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(string(out), "{\n  \"V\": "), "\n}")
	b.WriteString(inner)
	return nil
}

// TestDistort checks that every response shows the edited object, and the original one once the edits are undone.
func TestDistort(t *testing.T) {
	options := newClock().options()
	options.Objects = map[string]int{"/v1/invoices/{invoice}/lines": 12}
	s := New(options)
	id := newestID(s, "/v1/invoices")
	if err := s.Update(id); err != nil {
		t.Fatal(err)
	}
	answers := func() string {
		text := ""
		for _, target := range []string{"/v1/invoices/" + id, "/v1/invoices?limit=1", "/v1/events?limit=1&type=invoice.updated",
			"/v1/credit_notes?expand[]=data.invoice"} {
			w := call(t, s, target)
			if w.Code != 200 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("GET %s: %d %.300s", target, w.Code, w.Body)
			}
			text += w.Body.String()
		}
		return text
	}
	before := answers()
	restore, err := s.Distort(id, Edit{"lines", "{}"}, Edit{"customer_name", `"\ud83d"`}, Edit{"new_property", `"x"`})
	if err != nil {
		t.Fatal(err)
	}
	after := answers()
	for want, n := range map[string]int{`"lines": {}`: 3, `"customer_name": "\ud83d"`: 3, `"new_property":"x"`: 3} {
		if got := strings.Count(after, want); got < n {
			t.Errorf("%s: %d times, want %d", want, got, n)
		}
	}
	for got, raw := range s.Truth("/v1/invoices") {
		if got == id && !strings.Contains(string(raw), `"lines":{}`) {
			t.Errorf("the truth is %s", raw)
		}
	}
	if got := s.Distorted("/v1/invoices"); len(got) != 1 || !got[id] || len(s.Distorted("/v1/invoices/{invoice}/lines")) != 12 {
		t.Errorf("distorted are %v", got)
	}
	restore()
	if len(s.Distorted("/v1/invoices")) > 0 || answers() != before {
		t.Error("the invoice does not look as before")
	}
	first, err := s.Distort(id, Edit{"first", "1"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Distort(id, Edit{"second", "2"})
	if err != nil {
		t.Fatal(err)
	}
	first()
	if got := answers(); strings.Contains(got, `"first":1`) || !strings.Contains(got, `"second":2`) {
		t.Error("restoring one distortion of two did not leave the other")
	}
	second()
	if answers() != before {
		t.Error("the invoice does not look as before")
	}
	if _, err := s.Distort("in_none", Edit{"lines", "{}"}); err == nil {
		t.Error("distorted what does not exist")
	}
}

// TestEditedAnswers edits whole pages, objects and errors.
func TestEditedAnswers(t *testing.T) {
	s := New(fixed())
	id := newestID(s, "/v1/charges")
	for target, test := range map[string]struct {
		edit Edit
		want string
	}{
		"/v1/charges?limit=1":  {Edit{"has_more", ""}, `"url":"/v1/charges"}`},
		"/v1/charges?limit=2":  {Edit{"data", "null"}, `{"object":"list","data":null,"has_more":true,"url":"/v1/charges"}`},
		"/v1/charges?limit=3":  {Edit{"data.0.id", ""}, `{"object":"list","data":[{"object":"charge",`},
		"/v1/charges/" + id:    {Edit{"object", `"list"`}, `{"id":"` + id + `","object":"list"`},
		"/v1/charges?limit=0":  {Edit{"error.type", `"new_error"`}, `"type":"new_error"`},
		"/v1/charges/ch_other": {Edit{"error", `"no such thing"`}, `{"error":"no such thing"}`},
	} {
		remove := s.Inject(Fault{Edit: test.edit})
		if got := compact(t, call(t, s, target).Body.Bytes()); !strings.Contains(got, test.want) || test.edit.JSON == "" && strings.Contains(got, "has_more") && test.edit.Property == "has_more" {
			t.Errorf("GET %s: %.200s, want %s", target, got, test.want)
		}
		remove()
	}
}

// TestExtremes reads an object of 5 MiB and an id of 5,000 letters.
func TestExtremes(t *testing.T) {
	s := New(newClock().options())
	long := strings.Repeat("summer", 5000/6) + "sale"
	for _, id := range []string{long, "a/b ?c"} {
		if got, err := s.Create("/v1/coupons", Fields{"id": id}); got != id || err != nil {
			t.Fatalf("%.20s %v", got, err)
		}
	}
	ids, _ := readAll(t, s, "/v1/coupons", "", "1")
	if ids[1] != long || ids[0] != "a/b ?c" {
		t.Errorf("%.20q", ids[:2])
	}
	if got := fetch[struct{ ID string }](t, s, "/v1/coupons/"+long).ID; got != long {
		t.Errorf("%.20s", got)
	}
	if got := fetch[struct{ ID string }](t, s, "/v1/coupons/a%2Fb%20%3Fc").ID; got != "a/b ?c" {
		t.Errorf("%.20s", got)
	}
	if _, err := s.Create("/v1/customers", Fields{"id": "me@example.com"}); err != nil {
		t.Error(err)
	}
	if err := s.Update("me@example.com"); err != nil {
		t.Error(err)
	}
	if _, err := s.Create("/v1/plans", Fields{"id": long}); err == nil {
		t.Error("two objects have one id")
	}
	if err := s.Delete(long); err != nil {
		t.Error(err)
	}
	if status, _ := errorOf(t, s, "/v1/coupons/"+long); status != 404 {
		t.Error(status)
	}
	if _, err := s.Distort("a/b ?c", Edit{"name", Text(5 << 20)}); err != nil {
		t.Fatal(err)
	}
	if w := call(t, s, "/v1/coupons?limit=1"); w.Body.Len() < 5<<20 || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%d bytes", w.Body.Len())
	}
}

// TestUndocumentedEvents adds events of types that the pinned version does not have.
func TestUndocumentedEvents(t *testing.T) {
	s := New(newClock().options())
	customer, invoice, meter := newestID(s, "/v1/customers"), newestID(s, "/v1/invoices"), newestID(s, "/v1/billing/meters")
	type event struct {
		ID, Type   string
		APIVersion *string `json:"api_version"`
		Data       struct{ Object map[string]any }
	}
	for _, test := range []struct {
		kind, id string
		edits    []Edit
		check    func(event) bool
	}{
		{"invoice.upcoming", invoice, nil, func(e event) bool {
			_, has := e.Data.Object["id"]
			return !has && e.Data.Object["object"] == "invoice"
		}},
		{"customer.levitated", customer, nil, func(e event) bool { return e.Data.Object["id"] == customer }},
		{"wallet.created", customer, []Edit{{"data.object", `{"id":"w_1","object":"wallet"}`}, {"api_version", "null"}}, func(e event) bool {
			return e.Data.Object["object"] == "wallet" && e.APIVersion == nil
		}},
		{"billing.meter.updated", meter, []Edit{{"data.object", "{}"}}, func(e event) bool { return len(e.Data.Object) == 0 }},
	} {
		id, err := s.Emit(test.kind, test.id, test.edits...)
		if err != nil {
			t.Fatal(err)
		}
		e := fetch[event](t, s, "/v1/events/"+id)
		if e.ID != id || e.Type != test.kind || !test.check(e) {
			t.Errorf("%+v", e)
		}
	}
	if n := len(fetch[page](t, s, "/v1/events?type=customer.lev*").Data); n != 1 {
		t.Errorf("%d events", n)
	}
	if _, err := s.Emit("customer.updated", "cus_none"); err == nil {
		t.Error("an event of nothing")
	}
	if fetch[struct{ ID string }](t, s, "/v1/invoices/"+invoice).ID != invoice {
		t.Error("the invoice changed")
	}
}

// TestSetOldEvents checks that changing the shape of payloads affects only new events.
func TestSetOldEvents(t *testing.T) {
	c := newClock()
	s := New(c.options())
	id := newestID(s, "/v1/invoices")
	update := func() string {
		c.wait(1e9)
		if err := s.Update(id); err != nil {
			t.Fatal(err)
		}
		return compact(t, fetch[page](t, s, "/v1/events?limit=1").Data[0])
	}
	before := update()
	s.SetOldEvents(OldShape{Share: 1, Version: "2012-09-24", Edits: map[string][]Edit{"invoice": {{"lines", `{"invoiceitems":[]}`}, {"id", ""}}}})
	old := update()
	s.SetOldEvents(OldShape{})
	again := update()
	for text, want := range map[string][2]string{
		before: {`"api_version":"` + APIVersion, `"id":"` + id}, old: {`"api_version":"2012-09-24"`, `"lines":{"invoiceitems":[]}`},
		again: {`"api_version":"` + APIVersion, `"id":"` + id},
	} {
		if !strings.Contains(text, want[0]) || !strings.Contains(text, want[1]) {
			t.Errorf("%s, want %v", text, want)
		}
	}
	if strings.Contains(old, `"id":"`+id) || compact(t, fetch[page](t, s, "/v1/events?limit=3").Data[1]) != old {
		t.Error(old)
	}
}
