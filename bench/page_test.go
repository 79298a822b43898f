package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// BenchmarkCut compares ways to cut a page of 100 charges into objects and to read each object's id, type and time.
func BenchmarkCut(b *testing.B) {
	page := chargePage(100)
	var c cutter
	for name, cut := range map[string]func([]byte) (int, error){"rawjson": c.cut, "encoding-json": cutEncodingJSON} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				if n, err := cut(page); err != nil || n != 100 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkCompact measures the part of cutting that validates the page and removes white space.
func BenchmarkCompact(b *testing.B) {
	page := chargePage(100)
	var buffer bytes.Buffer
	b.Run("rawjson", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(page)))
		var c cutter
		for b.Loop() {
			if _, err := c.Compact(c.withHeadroom(page)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			buffer.Reset()
			if err := json.Compact(&buffer, page); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSelect compares ways to select six fields of each of 100 charges.
func BenchmarkSelect(b *testing.B) {
	objects := cutPage(b, 100)
	b.Run("rawjson", func(b *testing.B) {
		b.ReportAllocs()
		s := selector{selection: rawjson.Select(someFields()...)}
		for b.Loop() {
			s.fields(objects)
		}
	})
	b.Run("maps", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := selectWithMaps(objects, someFields()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func cutPage(t testing.TB, n int) []rawjson.Object {
	t.Helper()
	var c cutter
	if _, err := c.cut(chargePage(n)); err != nil {
		t.Fatal(err)
	}
	return c.list.Objects
}

// TestSameWork checks that the compared functions have the same results.
func TestSameWork(t *testing.T) {
	page := chargePage(100)
	var c cutter
	ours, err := c.cut(bytes.Clone(page))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := cutEncodingJSON(page)
	if err != nil {
		t.Fatal(err)
	}
	if ours != 100 || theirs != 100 {
		t.Errorf("cut %d and %d objects of 100", ours, theirs)
	}
	for _, object := range cutPage(t, 3) {
		s := selector{selection: rawjson.Select(someFields()...)}
		s.fields([]rawjson.Object{object})
		var selected, whole map[string]any
		if err := json.Unmarshal(s.buffer, &selected); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(object.Raw), &whole); err != nil {
			t.Fatal(err)
		}
		chosen := map[string]any{}
		for _, path := range someFields() {
			copyField(chosen, whole, strings.Split(path, "."))
		}
		if a, b := encoded(t, selected), encoded(t, chosen); !slices.Equal(a, b) {
			t.Errorf("selected\n%s\nand with maps\n%s", a, b)
		}
	}
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
