package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// chargePage returns a page of n charges, indented like Stripe's.
func chargePage(n int) []byte {
	stripe := stripetest.New(stripetest.Options{Objects: map[string]int{"*": 10, "/v1/charges": n}})
	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/charges?limit=100", nil)
	request.Header.Set("Authorization", "Bearer "+liveKey)
	recorder := httptest.NewRecorder()
	stripe.ServeHTTP(recorder, request)
	return recorder.Body.Bytes()
}

// cutter cuts pages with rawjson, like the connector.
type cutter struct {
	rawjson.Cutter
	list rawjson.List
	body bytes.Buffer
}

// cut cuts a copy of the page, since rawjson overwrites its input.
func (c *cutter) cut(page []byte) (int, error) {
	err := c.CutList(&c.list, c.withHeadroom(page))
	return len(c.list.Objects), err
}

// withHeadroom copies a page, with the lead bytes that the cutter requires.
func (c *cutter) withHeadroom(page []byte) []byte {
	c.body.Reset()
	c.body.Grow(rawjson.Headroom + len(page) + bytes.MinRead)
	c.body.Write(make([]byte, rawjson.Headroom))
	c.body.Write(page)
	return c.body.Bytes()
}

// cutEncodingJSON does the same in the usual way with encoding/json, which doesn't compact the objects.
func cutEncodingJSON(page []byte) (int, error) {
	var list struct {
		Data    []json.RawMessage `json:"data"`
		HasMore bool              `json:"has_more"`
	}
	if err := json.Unmarshal(page, &list); err != nil {
		return 0, err
	}
	for _, raw := range list.Data {
		var head struct {
			ID      string `json:"id"`
			Object  string `json:"object"`
			Created int64  `json:"created"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return 0, err
		}
		if head.ID == "" {
			return 0, fmt.Errorf("an object has no id")
		}
	}
	return len(list.Data), nil
}

// someFields returns the fields to select.
func someFields() []string {
	return []string{"id", "amount", "currency", "status", "billing_details.email", "billing_details.address.country"}
}

// selector selects fields with rawjson.
type selector struct {
	selection *rawjson.Selection
	buffer    []byte
}

func (s *selector) fields(objects []rawjson.Object) {
	s.buffer = s.buffer[:0]
	for _, object := range objects {
		s.buffer = s.selection.Append(s.buffer, object.Raw)
	}
}

// selectWithMaps does the same by decoding into maps, without parsing numbers.
func selectWithMaps(objects []rawjson.Object, paths []string) error {
	for _, object := range objects {
		decoder := json.NewDecoder(strings.NewReader(object.Raw))
		decoder.UseNumber()
		var all map[string]any
		if err := decoder.Decode(&all); err != nil {
			return err
		}
		chosen := map[string]any{}
		for _, path := range paths {
			copyField(chosen, all, strings.Split(path, "."))
		}
		if _, err := json.Marshal(chosen); err != nil {
			return err
		}
	}
	return nil
}

func copyField(into, from map[string]any, path []string) {
	value, ok := from[path[0]]
	if !ok {
		return
	}
	inner, isObject := value.(map[string]any)
	if len(path) == 1 || !isObject {
		into[path[0]] = value
		return
	}
	next, ok := into[path[0]].(map[string]any)
	if !ok {
		next = map[string]any{}
		into[path[0]] = next
	}
	copyField(next, inner, path[1:])
}

// effort is the mean cost of one run.
type effort struct {
	CPU    time.Duration
	Allocs float64
}

// effortOf repeats work for at least the given time and returns the mean cost.
func effortOf(atLeast time.Duration, work func() error) (effort, error) {
	if err := work(); err != nil { // run once first, so that buffers have grown
		return effort{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	runs := 0
	m, err := measured(func() error {
		for began := time.Now(); time.Since(began) < atLeast; runs++ {
			if err := work(); err != nil {
				return err
			}
		}
		return nil
	})
	runtime.ReadMemStats(&after)
	return effort{m.CPU / time.Duration(runs), float64(after.Mallocs-before.Mallocs) / float64(runs)}, err
}

// pageEfforts has the costs of the different ways to process a page.
type pageEfforts struct {
	Cut, CutTen, CutJSON, Select, SelectMaps effort
	Bytes                                    int
}

func newPageWorker() worker { return worker{"measure": handler(measurePage)} }

func measurePage(_ context.Context, each time.Duration) (pageEfforts, error) {
	hundred, ten := chargePage(100), chargePage(10)
	result := pageEfforts{Bytes: len(hundred)}
	var ours, small cutter
	var list rawjson.List
	if err := ours.CutList(&list, ours.withHeadroom(hundred)); err != nil {
		return result, err
	}
	fields := selector{selection: rawjson.Select(someFields()...)}
	for _, piece := range []struct {
		effort *effort
		work   func() error
	}{
		{&result.Cut, func() error { _, err := ours.cut(hundred); return err }},
		{&result.CutTen, func() error { _, err := small.cut(ten); return err }},
		{&result.CutJSON, func() error { _, err := cutEncodingJSON(hundred); return err }},
		{&result.Select, func() error { fields.fields(list.Objects); return nil }},
		{&result.SelectMaps, func() error { return selectWithMaps(list.Objects, someFields()) }},
	} {
		var err error
		if *piece.effort, err = effortOf(each, piece.work); err != nil {
			return result, err
		}
	}
	return result, nil
}
