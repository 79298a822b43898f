package stripetest

import (
	"slices"
	"testing"
)

// turn reads a page and returns its ids.
func turn(t *testing.T, s *Stripe, target string) (ids []string, more bool) {
	t.Helper()
	p := fetch[page](t, s, target)
	for _, object := range p.Data {
		ids = append(ids, idOf(t, object))
	}
	return ids, p.HasMore
}

func TestEndlessLists(t *testing.T) {
	options := fixed()
	options.Objects = map[string]int{"/v1/charges": 5}
	s := New(options)
	all, _ := turn(t, s, "/v1/charges?limit=5")
	tests := map[string]struct {
		kind  FaultKind
		query string
		want  []string
		more  bool
	}{
		"the first page":                 {RepeatedPage, "limit=2", all[:2], true},
		"again":                          {RepeatedPage, "limit=2&starting_after=" + all[1], all[:2], true},
		"overlapping":                    {OverlappingPages, "limit=2&starting_after=" + all[1], all[1:3], true},
		"overlapping, last":              {OverlappingPages, "limit=2&starting_after=" + all[3], all[3:], false},
		"overlapping, nothing new":       {OverlappingPages, "limit=1&starting_after=" + all[3], all[3:4], true},
		"overlapping, from the start":    {OverlappingPages, "limit=2", all[:2], true},
		"more, though it is the last":    {MoreForever, "limit=2&starting_after=" + all[2], all[3:], true},
		"more, though nothing is behind": {MoreForever, "limit=2&starting_after=" + all[4], all[4:], true},
		"empty":                          {EmptyPage, "limit=2&starting_after=" + all[1], nil, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			defer s.Inject(Fault{Kind: test.kind, Path: "/v1/charges"})()
			if ids, more := turn(t, s, "/v1/charges?"+test.query); !slices.Equal(ids, test.want) || more != test.more {
				t.Errorf("%v %v, want %v %v", ids, more, test.want, test.more)
			}
		})
	}
	if status, e := errorOf(t, s, "/v1/charges?starting_after=ch_none"); status != 400 || e.Code != "resource_missing" || e.Param != "starting_after" {
		t.Error(status, e)
	}
}
