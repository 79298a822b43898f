package rawjson_test

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

// grammar contains examples of what each rule of RFC 8259 allows, and of near misses.
var grammar = []string{
	``, ` `, "\t\n\r ", "\v", "\f", "\u00a0", "\ufeff{}", `null`, `nul`, `nulL`, `nullx`, `true`, `tru`, `false`, `fals`, `falsE`, `True`, `NaN`,
	`{}`, `{ }`, `{`, `}`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a" : 1 }`, `{"a":1,}`, `{,"a":1}`, `{"a"1}`, `{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `{"a":1]`,
	`{"a":1,"a":2}`, `{"\u0061":1,"a":2}`, `[]`, `[ ]`, `[`, `]`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `[[[[]]]]`, `[[[[]]]`, `1 2`, `{} {}`, `{}x`,
	`0`, `-0`, `-`, `+1`, `01`, `-01`, `1.`, `.1`, `1.0`, `1.0.0`, `1e`, `1e+`, `1e+1`, `1E-01`, `1e1.0`, `1e1e1`, `-1.25e-07`, `0x1`, `1_0`, `1d1`, `1D1`, `1f1`, `12345678`,
	`123456789`, `12345678.12345678e12345678`, `1234567/`, `1234567:`, `9007199254740993`,
	`""`, `"`, `"\`, `"\"`, `"\\"`, `"\\\"`, `"\/\b\f\n\r\t"`, `"\a"`, `"\u"`, `"\u00e`, `"\u00e9"`, `"\u00E9"`, `"\u00g9"`, `"\u+123"`, `"\U0001"`,
	`"\ud83d\ude00"`, `"\ud83d"`, `"\uD83D\uDE00"`, `"\ud83d\ud83d\ude00"`, `"\\ud83d"`, `"\\\ud83d"`, `"\ud83d\n"`, `"\ud83d\\"`, `"\ud83d\""`, `"\ud83d\ude0x"`, `"1\ud83d2\ude003"`, `{"\ud83d":"\ude00"}`, `"\ude00\ud83d"`, `"\ud83d\ud83d"`, `"\ud83d\u0041"`, `"\ud83dx"`, `"\ud83d\ude0`, `"\ud83d\`,
	"\"\x00\"", "\"\x1f\"", "\"\x20\"", "\"\x7f\"", "\"\x80\"", "\"\xc0\x80\"", "\"\xc3\"", "\"é\"", "\"€\"", "\"\xe2\x82\"", "\"\xed\xa0\x80\"",
	"\"😀\"", "\"\xf4\x90\x80\x80\"", "\"\xff\"", "\"1234567\xff\"", "\"12345678\x1f\"", `"1234567\"`, `"12345678\"`, `"1234567"`, `"12345678"`, "\"\ufffd\"",
	"\x00", "null\x00", "{\"a\":1}\x00\x00",
	`{"data":[1,"x",null,[],{}]}`, `{"data":[{"a":"\\"},{"b":"\\\""}],"has_more":false}`, `{"data":[],"data":[{"id":"a","id":1}],"has_more":true,"has_more":"true"}`,
	`{"data":{},"has_more":true}`, `{"data":[{"id":"\u0061","object":7,"created":1e3},{"\u0069d":"x"}]}`, `{"data":[{"id":"a"},]}`, `{"data":[{"id":"a",}]}`, `{"data":[{"id" }]}`,
	`[{"data":[{"id":"a"}]}]`, `{"a":{"data":[{"id":"a"}],"has_more":true}}`,
}

// FuzzCutList compares the cutter with jsontext. Both must accept the same bodies with the same results, except that the
// cutter replaces lone surrogates, which jsontext rejects.
func FuzzCutList(f *testing.F) {
	f.Add([]byte(page))
	for _, text := range grammar {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, spare := range []int{0, 3, 64} { // spare bytes after the body, whose content must not matter
			checkCut(t, new(rawjson.Cutter), body, spare)
		}
	})
}

// FuzzCutListAgain cuts a body with a cutter that remembers another body.
func FuzzCutListAgain(f *testing.F) {
	for _, text := range grammar {
		f.Add([]byte(page), []byte(text))
	}
	for _, variants := range variants {
		for _, variant := range variants {
			f.Add([]byte(listOf(variants[0])), []byte(listOf(variant)))
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var cutter rawjson.Cutter
		for _, body := range [][]byte{first, second, first, second[:len(second)/2]} {
			checkCut(t, &cutter, body, 0)
		}
	})
}

func TestNesting(t *testing.T) {
	var cutter rawjson.Cutter // reused, so that it remembers the previous depth
	for _, depth := range []int{9_997, 9_998, 9_999, 10_000, 10_001} {
		for _, body := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"":`, depth) + "0" + strings.Repeat("}", depth),
			`{"data":[` + strings.Repeat("[", depth-2) + strings.Repeat("]", depth-2) + `]}`,
			`{"data":[{"a":` + strings.Repeat("[", depth-3) + strings.Repeat("]", depth-3) + `}]}`,
			`{"data":[` + strings.Repeat(`{"a":`, depth-2) + "0" + strings.Repeat("}", depth-2) + `]}`,
		} {
			checkCut(t, &cutter, []byte(body), 0)
		}
	}
}

// checkCut cuts a copy of body, with quotes before and after it in memory, and compares the result with jsontext.
func checkCut(t testing.TB, cutter *rawjson.Cutter, body []byte, spare int) {
	t.Helper()
	quoted := func() []byte {
		buf := slices.Concat(bytes.Repeat([]byte(`"`), rawjson.Headroom), body, bytes.Repeat([]byte(`"`), spare))
		return buf[: len(buf)-spare : len(buf)]
	}
	want := jsontext.Value(withoutLoneSurrogates(body))
	valid := want.IsValid(jsontext.AllowDuplicateNames(true))
	compact, err := cutter.Compact(quoted())
	if valid != (err == nil) {
		t.Fatalf("%.500q: valid %v, but got error %v", body, valid, err)
	}
	var list rawjson.List
	listErr := cutter.CutList(&list, quoted())
	if !valid {
		empty := len(bytes.Trim(body, " \t\r\n")) == 0
		if errors.Is(err, rawjson.ErrEmpty) != empty || listErr == nil || listErr.Error() != err.Error() {
			t.Fatalf("%q: got errors %v and %v", body, err, listErr)
		}
		return
	}
	if err := want.Compact(jsontext.AllowDuplicateNames(true)); err != nil || string(want) != compact {
		t.Fatalf("got  %s\nwant %s, %v", compact, want, err)
	}
	wantList, isList := cutByTokens(t, compact)
	if isList != (listErr == nil) {
		t.Fatalf("%q: list %v, but got error %v", body, isList, listErr)
	}
	var embedded rawjson.List
	if err := rawjson.CutCompactList(&embedded, compact); isList != (err == nil) {
		t.Fatalf("%q: list %v, but CutCompactList returned error %v", body, isList, err)
	}
	if !isList {
		return
	}
	for how, got := range map[string]rawjson.List{"CutList": list, "CutCompactList": embedded} {
		if got.HasMore != wantList.HasMore || !slices.Equal(got.Objects, wantList.Objects) {
			t.Fatalf("%s of %q:\n%s", how, body, cmp.Diff(wantList, got))
		}
	}
}

// escapes matches a surrogate pair, half of one, and the start of every other escape.
var escapes = regexp.MustCompile(`(?is)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}|\\.`)

// withoutLoneSurrogates returns body with each escape that is half of a surrogate pair replaced by \ufffd. It needn't
// recognize strings, because a backslash isn't valid outside of them.
func withoutLoneSurrogates(body []byte) []byte {
	return escapes.ReplaceAllFunc(body, func(escape []byte) []byte {
		if len(escape) == len(`\ud83d`) {
			return []byte(`\ufffd`)
		}
		return escape
	})
}

// cutByTokens cuts a valid page with jsontext, and reports whether it is a list.
func cutByTokens(t testing.TB, page string) (list rawjson.List, isList bool) {
	t.Helper()
	for name, value := range membersByTokens(t, page) {
		switch {
		case name == `"data"` && value[0] == '[':
			isList = true
			for _, element := range elementsByTokens(t, value) {
				object := rawjson.Object{Raw: element}
				for name, value := range membersByTokens(t, element) {
					switch name {
					case `"id"`:
						object.ID = rawjson.String(value)
					case `"object"`:
						object.Type = rawjson.String(value)
					case `"created"`:
						object.Created = rawjson.Int(value)
					}
				}
				list.Objects = append(list.Objects, object)
			}
		case name == `"has_more"`:
			list.HasMore = value == "true"
		}
	}
	return list, isList
}

// membersByTokens returns an iterator over the members of an object, with quoted names. Any other value has none.
func membersByTokens(t testing.TB, object string) func(func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		if object[0] != '{' {
			return
		}
		for inner := elementsByTokens(t, object); len(inner) > 0; inner = inner[2:] {
			if !yield(inner[0], inner[1]) {
				return
			}
		}
	}
}

// elementsByTokens returns the values in an array, or the names and values in an object.
func elementsByTokens(t testing.TB, value string) []string {
	t.Helper()
	decoder := jsontext.NewDecoder(strings.NewReader(value), jsontext.AllowDuplicateNames(true))
	if _, err := decoder.ReadToken(); err != nil {
		t.Fatal(err)
	}
	var inner []string
	for decoder.PeekKind() != ']' && decoder.PeekKind() != '}' {
		v, err := decoder.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		inner = append(inner, string(v))
	}
	return inner
}
