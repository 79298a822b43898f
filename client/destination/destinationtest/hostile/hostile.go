// Package hostile syncs into destinations that people and machines disturb: roles without privileges, unexpected settings,
// tables that are locked, changed or dropped, servers that restart. Each case ends in one of two ways. Either the rows
// match the source after at most two more syncs, or the first error names the cause and the remedy, and nothing has
// changed.
package hostile

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Place is a destination for cases.
type Place interface {
	// Name returns the destination's name, for destination.Kinds.
	Name() string
	// Rows returns the objects in the table of a stream, by id, in the form of Source.Truth.
	Rows(t *testing.T, stream string) map[string]string
	// Everything returns a description of everything in the place, to detect changes.
	Everything(t *testing.T) string
}

// Case is one disturbance.
type Case struct {
	// Before prepares the place for the first sync.
	Before func(t *testing.T)
	// During is called once in the first sync, after some rows were stored.
	During func(t *testing.T)
	// Between is called after the first sync.
	Between func(t *testing.T)
	// Healed is called before the last sync, for disturbances that must end first.
	Healed func(t *testing.T)
	// Refused are parts of the error of the first sync after Before and Between, if that sync must fail and change nothing.
	// Warned are parts of a warning, for a sync that resumes by itself.
	Refused, Warned []string
	// SetAside are the objects that can't be stored after Between, by stream. The report must name them, and nothing else may
	// be missing. After Unset, the next sync stores them.
	SetAside map[string][]string
	Unset    func(t *testing.T)
}

// Run runs a case against a place.
func Run(t *testing.T, place Place, c Case) {
	s := NewSource()
	service := s.Connect(t)
	var warnings []string
	var report *client.Report
	sync := func() error {
		d, err := all.Kinds().Open(t.Context(), place.Name())
		if err != nil {
			return err
		}
		defer func() {
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		report, err = service.Sync(ctx, client.SyncOptions{Destination: d, Wait: 50 * time.Millisecond, Observe: func(_ context.Context, m *connectorv1.ReadResponse) {
			if entry := m.GetLog(); entry != nil {
				warnings = append(warnings, entry.GetMessage())
			}
		}})
		return err
	}
	if c.Before != nil {
		c.Before(t)
	}
	before := place.Everything(t)
	if c.During != nil {
		s.Between = once(func() { c.During(t) })
	}
	err := sync()
	t.Logf("the first sync: %v", err)
	if c.Between != nil {
		if err != nil {
			t.Fatal(err)
		}
		c.Between(t)
		before = place.Everything(t)
		s.Advance()
		err = sync()
		t.Logf("after the disturbance: %v", err)
	}
	if c.SetAside != nil {
		setAside(t, place, s, report, c.SetAside)
		c.Unset(t)
	}
	if c.Refused != nil {
		refused(t, err, c.Refused)
		if diff := cmp.Diff(before, place.Everything(t)); diff != "" {
			t.Errorf("something changed although the sync was refused (-before +after):\n%s", diff)
		}
	}
	for range 2 {
		if err != nil {
			if c.Refused == nil {
				t.Logf("a further sync is needed after %v", err)
			}
			if c.Healed == nil && c.Refused != nil {
				return
			}
			if c.Healed != nil {
				c.Healed(t)
			}
			err = sync()
		}
	}
	if err != nil {
		t.Fatalf("after two further syncs: %v", err)
	}
	s.Advance()
	if err := sync(); err != nil {
		t.Fatalf("the next sync: %v", err)
	}
	for _, stream := range Streams {
		if diff := cmp.Diff(normal(t, s.Truth()), normal(t, place.Rows(t, stream))); diff != "" {
			t.Errorf("rows of %s (-truth +stored):\n%s", stream, shortened(diff))
		}
	}
	for _, part := range c.Warned {
		if !strings.Contains(strings.Join(warnings, "\n"), part) {
			t.Errorf("no warning has %q: %q", part, warnings)
		}
	}
}

// setAside checks that the report names the objects, and that nothing else is missing.
func setAside(t *testing.T, place Place, s *Source, report *client.Report, objects map[string][]string) {
	t.Helper()
	for _, stream := range report.Streams {
		var named []string
		for _, r := range stream.Refused {
			named = append(named, r.Key)
			if r.Reason == "" || strings.Contains(r.Reason, "漢字") {
				t.Errorf("the reason for %s is %q, want one without values", r.Key, r.Reason)
			}
		}
		if diff := cmp.Diff(objects[stream.Stream], named); diff != "" {
			t.Errorf("set aside of %s (-want +got):\n%s", stream.Stream, diff)
		}
		want := normal(t, s.Truth())
		for _, id := range objects[stream.Stream] {
			delete(want, id)
		}
		if diff := cmp.Diff(want, normal(t, place.Rows(t, stream.Stream))); diff != "" {
			t.Errorf("rows of %s except those set aside (-truth +stored):\n%s", stream.Stream, shortened(diff))
		}
	}
}

func refused(t *testing.T, err error, parts []string) {
	t.Helper()
	if err == nil {
		t.Fatalf("the sync succeeded, want an error with %q", parts)
	}
	for _, part := range parts {
		if n := strings.Count(err.Error(), part); n != 1 {
			t.Errorf("got %d times %q, want it once, in: %v", n, part, err)
		}
	}
}

// once returns a function that calls f when half of the first stream has been read. Some of it is stored by then, since a
// sync commits after a second.
func once(f func()) func(string, int) {
	waited, called := false, false
	return func(_ string, next int) {
		if !waited && next >= objects/4 {
			waited = true
			time.Sleep(1200 * time.Millisecond)
		}
		if !called && next >= objects/2 {
			called = true
			time.Sleep(300 * time.Millisecond)
			f()
		}
	}
}

// normal returns the objects in a normal form of JSON.
func normal(t *testing.T, objects map[string]string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for id, object := range objects {
		var members map[string]any
		if err := json.Unmarshal([]byte(object), &members); err != nil {
			t.Fatal(err)
		}
		content, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		all[id] = string(content)
	}
	return all
}

func shortened(diff string) string {
	if len(diff) > 2000 {
		return diff[:2000] + "…"
	}
	return diff
}
