package reconcile

import (
	"hash/maphash"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/changes"
	"github.com/stripe-connector/stripe-connector/connector/stripe/family"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

const testVersion = "2026-08-26.dahlia"

func TestEvidence(t *testing.T) {
	root := table.Streams(schema.Newest()).Find("coupons")
	created := changes.Event{Kind: "coupon.created", Version: testVersion, About: rawjson.Object{Raw: `{"n":1}`}}
	changed := changes.Event{Kind: "coupon.updated", Version: testVersion, About: rawjson.Object{Raw: `{"n":2}`}}
	deleted := changes.Event{Kind: "coupon.deleted", Version: testVersion, About: rawjson.Object{Raw: `{"n":3}`}}
	foreign := changes.Event{Kind: "coupon.updated", Version: "2018-02-28", About: rawjson.Object{Raw: `{"n":4}`}}
	at := func(second int64, e changes.Event) changes.Event {
		e.Created = second
		return e
	}
	for name, test := range map[string]struct {
		events []changes.Event // newest first
		shows  string          // the object to compare with; empty if none can be
		marks  marks
	}{
		"one":                             {[]changes.Event{at(9, created)}, `{"n":1}`, isCreated},
		"the newest counts":               {[]changes.Event{at(9, changed), at(8, created)}, `{"n":2}`, isChanged},
		"a creation is the earliest":      {[]changes.Event{at(9, created), at(9, changed)}, `{"n":2}`, isCreated | isChanged},
		"wherever it is listed":           {[]changes.Event{at(9, changed), at(9, created)}, `{"n":2}`, isCreated | isChanged},
		"a tie":                           {[]changes.Event{at(9, changed), at(9, changed)}, "", isChanged},
		"a tie of three":                  {[]changes.Event{at(9, changed), at(9, changed), at(9, changed)}, "", isChanged},
		"another version":                 {[]changes.Event{at(9, foreign), at(8, changed)}, "", isChanged},
		"of another version before":       {[]changes.Event{at(9, changed), at(8, foreign)}, `{"n":2}`, isChanged},
		"gone":                            {[]changes.Event{at(9, deleted), at(8, changed)}, "", isChanged | isDeleted},
		"created again":                   {[]changes.Event{at(9, created), at(8, deleted)}, `{"n":1}`, isCreated},
		"gone or created again":           {[]changes.Event{at(9, deleted), at(9, created)}, "", isChanged | isCreated | isDeleted},
		"gone or created again, shuffled": {[]changes.Event{at(9, created), at(9, deleted)}, "", isChanged | isCreated | isDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			c := &comparison{root: root, apiVersion: testVersion, family: &family.Member{Row: root}, seed: maphash.MakeSeed()}
			var got evidence
			for i := range test.events {
				got = c.with(got, &test.events[i])
			}
			want := uint64(0)
			if test.shows != "" {
				want = c.fingerprint(rawjson.Object{Raw: test.shows})
			}
			if got.payload != want || got.marks != test.marks || got.at != 9 {
				t.Errorf("got %+v, want payload %d, marks %b", got, want, test.marks)
			}
		})
	}
}

// TestCreatedAgainInOneSecond lists an object that may have been deleted before or after its creation.
func TestCreatedAgainInOneSecond(t *testing.T) {
	root := table.Streams(schema.Newest()).Find("coupons")
	object := rawjson.Object{ID: "a", Type: "coupon", Created: 5, Raw: `{"id":"a"}`}
	for name, test := range map[string]struct {
		marks   marks
		missing int
	}{
		"deleted":             {isChanged | isDeleted, 1},
		"deleted and created": {isCreated | isChanged | isDeleted, 0},
	} {
		c := &comparison{root: root, Window: state.Window{From: 1, To: 9}, seed: maphash.MakeSeed(), evidence: map[uint64]evidence{}}
		c.evidence[c.hash("a")] = evidence{at: 7, marks: test.marks}
		missing, stale := c.differing([]rawjson.Object{object, object})
		if len(missing) != test.missing || len(stale) != 0 || c.counts.Listed != 1 {
			t.Errorf("%s: missing %v, stale %v of %d", name, missing, stale, c.counts.Listed)
		}
	}
}

func TestFingerprint(t *testing.T) {
	seed := maphash.MakeSeed()
	of := func(value string) uint64 { return fingerprint(seed, value) }
	base := of(`{"a":1,"b":{"c":[1,2],"d":"x"},"url":"https://invoice.stripe.com/i/1?s=ap"}`)
	for name, test := range map[string]struct {
		value string
		same  bool
	}{
		"another order":          {`{"url":"https://invoice.stripe.com/i/1?s=ap","b":{"d":"x","c":[1,2]},"a":1}`, true},
		"another link of Stripe": {`{"a":1,"b":{"c":[1,2],"d":"x"},"url":"https://invoice.stripe.com/i/2?s=ap"}`, true},
		"another link":           {`{"a":1,"b":{"c":[1,2],"d":"x"},"url":"https://invoice.notstripe.com/i/2?s=ap"}`, false},
		"an array's order":       {`{"a":1,"b":{"c":[2,1],"d":"x"},"url":"https://invoice.stripe.com/i/1?s=ap"}`, false},
		"another value":          {`{"a":1,"b":{"c":[1,2],"d":"y"},"url":"https://invoice.stripe.com/i/1?s=ap"}`, false},
		"values exchanged":       {`{"a":"x","b":{"c":[1,2],"d":1},"url":"https://invoice.stripe.com/i/1?s=ap"}`, false},
		"one member less":        {`{"a":1,"b":{"c":[1,2],"d":"x"}}`, false},
	} {
		if got := of(test.value) == base; got != test.same {
			t.Errorf("%s: the same: %t", name, got)
		}
	}
}
