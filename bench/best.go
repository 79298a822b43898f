package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// bestReader keeps the connector's promise about events with the fewest possible requests and unlimited memory.
type bestReader struct {
	requestsOf

	stripe      *stripetest.Stripe
	from, until int64            // start of the unsettled events, and of the events that were never listed
	seen        map[string]bool  // ids of listed events
	read        map[string]int64 // when each object was last re-read, by id
}

func newBestReader(stripe *stripetest.Stripe, now int64) *bestReader {
	until := now - int64(busySettling/time.Second)
	return &bestReader{stripe: stripe, from: until, until: until, seen: map[string]bool{}, read: map[string]int64{}}
}

// minTail is the minimum number of seconds of settled events to list at a time. Events have settled when their
// overlap has passed.
const minTail = int64(busyOverlap/time.Second) / 10

// sweep lists the new events, and lists settled events for the last time.
func (r *bestReader) sweep(ctx context.Context, now int64) error {
	until, passed := now-int64(busySettling/time.Second), now-int64(busyOverlap/time.Second)
	sweep := &bestSweep{bestReader: r, now: now, newest: map[string]*bestChange{}}
	if r.until <= passed {
		if err := sweep.list(ctx, r.from, until); err != nil {
			return err
		}
		r.from = passed
	} else {
		if err := sweep.list(ctx, r.until, until); err != nil {
			return err
		}
		if tail := min(passed, r.until); tail-r.from >= minTail {
			if err := sweep.list(ctx, r.from, tail); err != nil {
				return err
			}
			r.from = tail
		}
	}
	sweep.applyAll()
	r.until = until
	return nil
}

// bestSweep is one sweep of the best reader.
type bestSweep struct {
	*bestReader

	now    int64
	found  []bestEvent            // what the sweep has listed
	newest map[string]*bestChange // by object id
}

// bestChange summarizes an object's new events, of which only those in its newest second count.
type bestChange struct {
	at             int64
	others         int // number of events other than creations
	gone, created  bool
	late, outdated bool
}

// bestEvent has the fields of an event that the best reader needs.
type bestEvent struct {
	ID      string `json:"id"`
	Created int64  `json:"created"`
	Kind    string `json:"type"`
	Version string `json:"api_version"`
	Data    struct {
		Object struct {
			ID string `json:"id"`
		} `json:"object"`
	} `json:"data"`
}

// list lists the events in a period.
func (s *bestSweep) list(ctx context.Context, from, until int64) error {
	after := ""
	for {
		s.events++
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("/v1/events?limit=%d&created[gte]=%d&created[lt]=%d%s", perPage, from, until, after), nil)
		request.Header.Set("Authorization", "Bearer sk_test_123")
		recorder := httptest.NewRecorder()
		s.stripe.ServeHTTP(recorder, request)
		var page struct {
			Data    []bestEvent `json:"data"`
			HasMore bool        `json:"has_more"`
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &page); err != nil || recorder.Code != http.StatusOK {
			return fmt.Errorf("the best reader got %d: %w", recorder.Code, err)
		}
		s.found = append(s.found, page.Data...)
		if !page.HasMore {
			return nil
		}
		after = "&starting_after=" + page.Data[len(page.Data)-1].ID
	}
}

// bestPart is the number of events after which a state is due. Events of one second stay together.
const bestPart = 50 * perPage

// applyAll applies what was listed, oldest first. A state after a part covers its events, so these can't wait for later ones.
func (s *bestSweep) applyAll() {
	slices.SortStableFunc(s.found, func(a, b bestEvent) int { return cmp.Compare(a.Created, b.Created) })
	for len(s.found) > 0 {
		end := min(bestPart, len(s.found))
		for end < len(s.found) && s.found[end].Created == s.found[end-1].Created {
			end++
		}
		for i := range s.found[:end] {
			s.record(&s.found[i])
		}
		s.apply()
		s.found, s.newest = s.found[end:], map[string]*bestChange{}
	}
}

// record records an event, unless it is known or the object was re-read since.
func (s *bestSweep) record(e *bestEvent) {
	id := e.Data.Object.ID
	if s.seen[e.ID] || e.Created < s.read[id] {
		return
	}
	s.seen[e.ID] = true
	c := s.newest[id]
	if c == nil {
		c = &bestChange{at: e.Created}
		s.newest[id] = c
	}
	switch {
	case e.Created < c.at:
		return
	case e.Created > c.at:
		*c = bestChange{at: e.Created}
	}
	if strings.HasSuffix(e.Kind, ".created") {
		c.created = true
	} else {
		c.others++
	}
	c.gone = c.gone || strings.HasSuffix(e.Kind, ".deleted")
	c.late = c.late || e.Created < s.until
	c.outdated = c.outdated || e.Version != stripetest.APIVersion
}

// apply counts the objects that must be re-read.
func (s *bestSweep) apply() {
	for id, c := range s.newest {
		uncertain := c.others > 1 || c.gone && c.created
		if c.gone && !c.created || !uncertain && !c.late && !c.outdated {
			continue
		}
		s.objects++
		s.read[id] = s.now
	}
}
