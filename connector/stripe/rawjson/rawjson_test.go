package rawjson_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
)

const page = `{
  "object": "list",
  "data": [
    {
      "id": "ch_2", "object": "charge", "created": 1700000001,
      "description": "quote \" backslash \\ brace } \u00e9 é",
      "amount": 9007199254740993, "list": [ ], "none": null, "nested": {"id": "not me", "a": [1, {"b": "]"}]}
    },
    { "object": "customer", "id": "with space/\u002fslash", "deleted": true },
    {}
  ],
  "has_more": true,
  "url": "/v1/charges"
}
`

// withHeadroom returns a copy of body that is preceded by Headroom bytes.
func withHeadroom[T string | []byte](body T) []byte {
	return append(make([]byte, rawjson.Headroom), body...)
}

func TestCutList(t *testing.T) {
	var list rawjson.List
	if err := new(rawjson.Cutter).CutList(&list, withHeadroom(page)); err != nil {
		t.Fatal(err)
	}
	want := rawjson.List{HasMore: true, Objects: []rawjson.Object{
		{
			ID: "ch_2", Type: "charge", Created: 1700000001,
			Raw: `{"id":"ch_2","object":"charge","created":1700000001,` +
				`"description":"quote \" backslash \\ brace } \u00e9 é",` +
				`"amount":9007199254740993,"list":[],"none":null,"nested":{"id":"not me","a":[1,{"b":"]"}]}}`,
		},
		{ID: "with space//slash", Type: "customer", Raw: `{"object":"customer","id":"with space/\u002fslash","deleted":true}`},
		{Raw: `{}`},
	}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}

func TestCutListRejects(t *testing.T) {
	tests := map[string]struct {
		body string
		want string
	}{
		"nothing":         {"", rawjson.ErrEmpty.Error()},
		"white space":     {" \n", rawjson.ErrEmpty.Error()},
		"truncated":       {page[:len(page)/2], "truncated"},
		"HTML":            {"<html>secret customer</html>", "not valid JSON at byte 0"},
		"two values":      {`{"data":[]} {"data":[]}`, "unexpected data"},
		"an error":        {`{"error":{"message":"secret customer"}}`, rawjson.ErrNotList.Error()},
		"an array":        {`[]`, rawjson.ErrNotList.Error()},
		"data not array":  {`{"data":{}}`, rawjson.ErrNotList.Error()},
		"not UTF-8":       {"{\"data\":[\"\xff\"]}", "not valid JSON at byte"},
		"invalid escape":  {`{"data":["\ud80"]}`, "not valid JSON at byte"},
		"extra comma":     {`{"data":[1,]}`, "not valid JSON at byte"},
		"control in text": {"{\"data\":[\"a\nb\"]}", "not valid JSON at byte"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var list rawjson.List
			err := new(rawjson.Cutter).CutList(&list, withHeadroom(test.body))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

// TestCutListOfLoneSurrogates uses halves of surrogate pairs in names and values, as customers' devices send them.
func TestCutListOfLoneSurrogates(t *testing.T) {
	tests := map[string]struct{ name, want string }{
		"high":       {`cut \ud83d`, "cut \ufffd"},
		"low":        {`\ude00 cut`, "\ufffd cut"},
		"both":       {`\ude00\ud83d`, "\ufffd\ufffd"},
		"two highs":  {`\uD83D\ud83d`, "\ufffd\ufffd"},
		"in a pair":  {`\ud83d\ud83d\ude00\ude00`, "\ufffd\U0001f600\ufffd"},
		"a pair":     {`\ud83d\ude00`, "\U0001f600"},
		"a letter":   {`\ud83d\u0041`, "\ufffdA"},
		"an escape":  {`\ud83d\"`, "\ufffd\""},
		"in letters": {`12345\ud83d678`, "12345\ufffd678"},
		"escaped":    {`\\ud83d`, `\ud83d`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var cutter rawjson.Cutter
			var list rawjson.List
			object := `{"id": "cus_1", "name": "` + test.name + `", "metadata": {"` + test.name + `": 1}}`
			for range 2 { // the second time, the cutter remembers the names
				if err := cutter.CutList(&list, withHeadroom(listOf(object, `{"id": "cus_2"}`))); err != nil || len(list.Objects) != 2 {
					t.Fatalf("got %v, %v", list, err)
				}
				raw := list.Objects[0].Raw
				value, _ := rawjson.Lookup(raw, "name")
				_, found := rawjson.Lookup(raw, "metadata", test.want)
				if rawjson.String(value) != test.want || !found || !jsontext.Value(raw).IsValid() || list.Objects[1].ID != "cus_2" {
					t.Errorf("got %s, want %q", raw, test.want)
				}
			}
		})
	}
}

func TestCutListOfTruncatedPagesAlwaysFails(t *testing.T) {
	whole := strings.TrimSpace(page)
	for n := range len(whole) {
		var list rawjson.List
		if err := new(rawjson.Cutter).CutList(&list, withHeadroom(whole[:n])); err == nil {
			t.Fatalf("the first %d bytes of a page were accepted", n)
		}
	}
}

func TestLookup(t *testing.T) {
	object := `{"a":{"b":"x\"y","c":[1,2]},"d":12,"é\n":true,"empty":{}}`
	tests := map[string]struct {
		path []string
		want string
		ok   bool
	}{
		"whole":         {nil, object, true},
		"nested string": {[]string{"a", "b"}, `"x\"y"`, true},
		"array":         {[]string{"a", "c"}, `[1,2]`, true},
		"escaped name":  {[]string{"é\n"}, `true`, true},
		"missing":       {[]string{"a", "z"}, "", false},
		"into number":   {[]string{"d", "z"}, "", false},
		"into empty":    {[]string{"empty", "z"}, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := rawjson.Lookup(object, test.path...)
			if ok != test.ok || ok && got != test.want {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func TestWithMember(t *testing.T) {
	tests := map[string]struct{ object, want string }{
		"missing":  {`{"id":"a"}`, `{"id":"a","invoice":"in_1"}`},
		"empty":    {`{}`, `{"invoice":"in_1"}`},
		"null":     {`{"invoice":null,"id":"a"}`, `{"invoice":"in_1","id":"a"}`},
		"last":     {`{"id":"a","invoice":"in_9"}`, `{"id":"a","invoice":"in_1"}`},
		"same":     {`{"invoice":"in_1"}`, `{"invoice":"in_1"}`},
		"deceptor": {`{"x":{"invoice":2}}`, `{"x":{"invoice":2},"invoice":"in_1"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := rawjson.WithMember(test.object, "invoice", `"in_1"`); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSelection(t *testing.T) {
	object := `{"id":"ch_1","amount":1e2,"billing_details":{"email":"a@example.com","address":{"city":"Wien","line1":null}},` +
		`"customer":"cus_1","items":{"data":[{"id":"a","n":1},{"id":"b","n":2}]},"we.ird":1,"\u00e9":2}`
	tests := map[string]struct {
		paths []string
		want  string
	}{
		"one":                   {[]string{"amount"}, `{"amount":1e2}`},
		"source's order":        {[]string{"customer", "id"}, `{"id":"ch_1","customer":"cus_1"}`},
		"nested":                {[]string{"billing_details.address.city"}, `{"billing_details":{"address":{"city":"Wien"}}}`},
		"prefix wins":           {[]string{"billing_details.address.city", "billing_details.address"}, `{"billing_details":{"address":{"city":"Wien","line1":null}}}`},
		"prefix wins, reversed": {[]string{"billing_details.address", "billing_details.address.city"}, `{"billing_details":{"address":{"city":"Wien","line1":null}}}`},
		"through arrays":        {[]string{"items.data.n"}, `{"items":{"data":[{"n":1},{"n":2}]}}`},
		"not expanded":          {[]string{"customer.email"}, `{"customer":"cus_1"}`},
		"escaped":               {[]string{"é"}, `{"é":2}`},
		"missing":               {[]string{"nothing"}, `{}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(rawjson.Select(test.paths...).Append(nil, object)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := string((*rawjson.Selection)(nil).Append(nil, object)); got != object {
		t.Errorf("no selection: got %s", got)
	}
}
