package api_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
)

// TestOddObjectsDamageNoPage reads pages with unusual objects. Each must arrive complete, and so must its neighbors.
func TestOddObjectsDamageNoPage(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := map[string]struct {
		id, rest string
		want     string // part of the resulting object; defaults to rest
	}{
		"5 MB":                 {"ch_1", `,"metadata":{"note":"` + strings.Repeat("é\\n \\u00e9", 5<<20/10) + `"}`, ""},
		"a long id":            {long, ``, long},
		"an id of escapes":     {"ch 1/é%&+?#", ``, "ch 1/é%&+?#"},
		"half a surrogate":     {"ch_1", `,"name":"cut \ud83d"`, `,"name":"cut \ufffd"`},
		"half a surrogate, 2":  {"ch_1", `,"\ude00":"\ude00\ud83d"`, `,"\ufffd":"\ufffd\ufffd"`},
		"NUL":                  {"ch_1", `,"name":"a\u0000b"`, ""},
		"a member twice":       {"ch_1", `,"name":1,"name":2`, ""},
		"a huge number":        {"ch_1", `,"amount":` + strings.Repeat("9", 400) + `e99999`, ""},
		"deeply nested":        {"ch_1", `,"a":` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000), ""},
		"ten thousand members": {"ch_1", `,"metadata":{` + strings.Repeat(`"k":"v",`, 9999) + `"k":"v"}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var after string
			w := serve(t, func(w http.ResponseWriter, r *http.Request) {
				after = r.URL.Query().Get("starting_after")
				_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"ch_0"},{"id":"`+test.id+`"`+test.rest+`},{"id":"ch_2"}],"has_more":true}`)
			})
			c := api.New(api.Options{Key: connector.NewSecret(key), Base: w.base, Transport: w.transport})
			page, err := c.List(t.Context(), "/v1/charges", nil)
			if err != nil || len(page.Objects) != 3 || page.Objects[1].ID != test.id || page.Objects[2].ID != "ch_2" {
				t.Fatalf("got %v", err)
			}
			want := test.want
			if want == "" {
				want = test.rest
			}
			if !strings.Contains(page.Objects[1].Raw, want) {
				t.Errorf("got %.200s", page.Objects[1].Raw)
			}
			if _, err := c.List(t.Context(), "/v1/charges", url.Values{"starting_after": {page.Objects[1].ID}}); err != nil || after != test.id {
				t.Errorf("got %v after %.100q", err, after)
			}
		})
	}
}

// TestPageThatIsTooLarge exceeds the maximum size of a response. The page is broken, since a smaller one may succeed.
func TestPageThatIsTooLarge(t *testing.T) {
	w := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		space := strings.Repeat(" ", 1<<20)
		for range 17 {
			if _, err := io.WriteString(w, space); err != nil {
				return
			}
		}
	})
	c := api.New(api.Options{Key: connector.NewSecret(key), Base: w.base, Transport: w.transport, Retry: api.Retry{Budget: time.Nanosecond}})
	if _, err := c.List(t.Context(), "/v1/charges", nil, api.Shrinkable); !api.IsBroken(err) || api.IsUnreachable(err) {
		t.Errorf("got %v", err)
	}
}
