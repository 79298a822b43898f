package rawjson_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// variants are objects that are similar to the first of each group, with differences.
var variants = map[string][]string{
	"members": {
		`{ "id": "a", "object": "b", "created": 1, "amount": 2, "paid": true }`,
		`{ "id": "a", "created": 1, "amount": 2, "paid": true }`,
		`{ "object": "b", "created": 1, "amount": 2 }`,
		`{ "id": "a", "object": "b", "new": 0, "created": 1, "amount": 2, "paid": true, "last": 0 }`,
		`{ "new": 0, "id": "a", "object": "b" }`,
		`{ "paid": true, "amount": 2, "created": 1, "object": "b", "id": "a" }`,
		`{ "id": "a", "id": "c", "object": "b", "object": "d", "created": 1, "created": 2 }`,
		`{ "id": null, "object": 1, "created": "b", "amount": {"a": [ ]}, "paid": [{ "id": "a", "object": "b" }] }`,
		`{}`, `{ }`, `null`, `"id"`, `[ "id", "object" ]`,
	},
	"white space": {
		"{\n  \"id\": \"a\",\n  \"object\": \"b\"\n}",
		"{\n\t\"id\":\"a\" ,\"object\"\n:\t\"b\"}",
		"{\r\n  \"id\": \"a\",\r\n  \"object\": \"b\"\r\n}",
		"{\v  \"id\": \"a\",\n  \"object\": \"b\"\n}",
		"{\n  \"id\": \"a\",\n  \"object\": \"b\"\v}",
		`{"id":"a","object":"b"}`,
	},
	"grammar": {
		`{ "id": "a", "object": "b" }`,
		`{ , "id": "a", "object": "b" }`, `{ "id": "a" "object": "b" }`, `{ "id": "a", , "object": "b" }`, `{ "id": "a", "object": "b", }`,
		`{, "object": "b" }`, `{ "id": { "id": "a", "object": { "object": "b" } } }`, `{ "id": "a" { "id": "a" }`, `{ "id": { , "object": "b" } }`,
		`{ "id": "a", "object": "b" ]`, `{ "id": "a", "object": }`, `{ "id": "a", "object" "b" }`, `{ "id": "a", "object": "b" } }`, `{ "id": "a" ] }`,
		`{ "id": 1. , "object": "b" }`, `{ "id": 1e, "object": "b" }`, `{ "id": nul, "object": "b" }`, `{ "id": 01, "object": "b" }`, `{ "id": -, "object": "b" }`,
		`{ "id": [ "object": "b" ] }`, `{ "id": [ "a", "object": "b" ] }`, `[ "id": "a" ]`,
	},
	"nested": {
		`{ "id": "a", "card": { "id": "c", "brand": "d" }, "list": [ { "id": "e" }, { "id": "f" } ] }`,
		`{ "id": "a", "card": null, "list": { "id": "c", "brand": "d" } }`,
		`{ "id": "a", "card": [ { "id": "c", "brand": "d" }, { "brand": "d" }, [ { "id": "c" } ] ], "list": [ ] }`,
		`{ "id": "a", "card": { "id": "c", "card": { "id": "c", "brand": "d" } }, "list": [ 1, { "id": "e", "brand": "f" } ] }`,
		`{ "id": "a", "card": { "id": "c", "brand": "d", "list": [ ] }`,
	},
	"names": {
		`{ "a": 1, "ab": 2, "abc": 3, "id": "x" }`,
		`{ "abc": 1, "ab": 2, "a": 3, "i": 4, "id ": 5, "idx": 6 }`,
		`{ "\u0061": 1, "a\"b": 2, "\u0069d": "y", "é": 3, "": 4 }`,
		`{ "a\u": 1 }`, "{ \"a\xff\": 1 }", "{ \"a\n\": 1 }", `{ "a: 1 }`, `{ "a": 1, "ab: 2 }`, `{ "a": 1, ab": 2 }`,
		`{ "a": 1, "` + strings.Repeat("b", 22) + `": 2, "` + strings.Repeat("c", 23) + `": 3, "` + strings.Repeat("d", 24) + `": 4 }`,
		`{ "a": 1, "` + strings.Repeat("b", 55) + `": 2, "` + strings.Repeat("c", 56) + `": 3, "` + strings.Repeat("d", 57) + `": 4, "` + strings.Repeat("e", 200) + `": 5 }`,
		`{ "a": 1, "` + strings.Repeat("b", 21) + `_": 2, "` + strings.Repeat("c", 22) + `_": 3, "` + strings.Repeat("d", 23) + `_": 4 }`,
	},
}

// listOf returns a page of objects.
func listOf(objects ...string) string {
	return `{ "object": "list", "data": [ ` + strings.Join(objects, ", ") + ` ], "has_more": true }`
}

func TestCutListOfSimilarObjects(t *testing.T) {
	for name, variants := range variants {
		t.Run(name, func(t *testing.T) {
			for _, variant := range variants {
				checkCut(t, new(rawjson.Cutter), []byte(listOf(variants[0], variants[0], variant, variants[0])), 0)
				checkCut(t, new(rawjson.Cutter), []byte(listOf(variant, variants[0], variant)), 0)
				var cutter rawjson.Cutter
				for _, body := range []string{listOf(variants[0]), listOf(variant), listOf(variants[0], variant, variant), variant, variants[0]} {
					checkCut(t, &cutter, []byte(body), 0)
				}
			}
		})
	}
}

// TestCutListOfTruncatedKnownPages cuts truncated pages that the cutter has seen in full.
func TestCutListOfTruncatedKnownPages(t *testing.T) {
	for name, variants := range variants {
		t.Run(name, func(t *testing.T) {
			var cutter rawjson.Cutter
			whole := listOf(variants[0], variants[0])
			checkCut(t, &cutter, []byte(whole), 0)
			for n := range len(whole) {
				checkCut(t, &cutter, []byte(whole[:n]), n%3)
			}
			checkCut(t, &cutter, []byte(whole), 0)
		})
	}
}

// TestCutListOfChangingNames cuts pages with more names than a cutter remembers, several times over.
func TestCutListOfChangingNames(t *testing.T) {
	var cutter rawjson.Cutter
	for page := range 30 {
		objects := make([]string, 20)
		for i := range objects {
			n := strconv.Itoa(page*len(objects) + i)
			objects[i] = `{ "id": "a` + n + `", "metadata": { "order ` + n + `": "1", "same": "2", "` + n + ` order": "3" }, "object": "b" }`
		}
		checkCut(t, &cutter, []byte(listOf(objects...)), 0)
	}
}

// TestCutListOfRandomPages cuts random pages, valid and invalid, whose objects have the same few names.
func TestCutListOfRandomPages(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 40
	}
	for seed := range uint64(rounds) {
		random := generator{rand.New(rand.NewPCG(seed, 0))}
		var cutter rawjson.Cutter
		for range 10 {
			body := []byte(random.page())
			checkCut(t, &cutter, body, random.IntN(3))
			for range 5 {
				checkCut(t, &cutter, random.mutate(body), random.IntN(3))
			}
		}
	}
}

// generator generates random JSON.
type generator struct{ *rand.Rand }

func (a generator) pick(of ...string) string { return of[a.IntN(len(of))] }

func (a generator) page() string {
	objects := make([]string, a.IntN(6))
	for i := range objects {
		objects[i] = a.value(3 * a.IntN(2))
	}
	return listOf(objects...)
}

func (a generator) value(depth int) string {
	if depth == 0 || a.IntN(3) == 0 {
		return a.pick("null", "true", "false", "0", "-12.5e3", `""`, `"é"`, `"}"`, `"a\"b"`, `"12345678"`, `"a rather long text\u0020"`, "{}", "[ ]")
	}
	space := a.pick("", " ", " ", "\n  ")
	if a.IntN(4) == 0 {
		return "[" + space + a.value(depth-1) + "," + space + a.value(depth-1) + "]"
	}
	var members []string
	for _, name := range []string{"id", "object", "created", "a", "ab", "c\u0063", strings.Repeat("n", 30), strings.Repeat("m", 62)} {
		if a.IntN(4) > 0 {
			members = append(members, `"`+name+`":`+space+a.value(depth-1))
		}
	}
	if a.IntN(4) == 0 {
		a.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
	}
	return "{" + space + strings.Join(members, ","+space) + space + "}"
}

// mutate returns text with a few bytes deleted, doubled or changed.
func (a generator) mutate(text []byte) []byte {
	from := a.IntN(len(text))
	to := min(len(text), from+1+a.IntN(3))
	var instead string
	switch a.IntN(3) {
	case 0:
		instead = string(text[from:to]) + string(text[from:to])
	case 1:
		instead = a.pick(`"`, "{", "}", "[", "]", ",", ":", " ", "\\", "n", "\x00", "\xff", "0", `,"a":1`, `"a":1,`)
	}
	return []byte(string(text[:from]) + instead + string(text[to:]))
}
