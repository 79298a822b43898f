package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPages(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 250: 3} {
		if got := minPages(n); got != want {
			t.Errorf("%d objects have %d pages, not %d", n, want, got)
		}
	}
	for _, c := range []struct{ n, known, want int }{{0, 0, 0}, {10, 10, 0}, {12, 10, 1}, {110, 10, 1}, {111, 10, 2}, {5, 10, 0}} {
		if got := pagesAfter(c.n, c.known); got != c.want {
			t.Errorf("%d of %d objects known: %d more pages, not %d", c.known, c.n, c.want, got)
		}
	}
}

func TestShortest(t *testing.T) {
	for name, c := range map[string]struct {
		requests map[string]int
		want     time.Duration
	}{
		"the account's limit": {map[string]int{"a": 100, "b": 100, "c": 100, "d": 100, "e": 100}, 5 * time.Second},
		"an endpoint's limit": {map[string]int{"a": 100, "b": 10}, 4 * time.Second},
	} {
		if got := shortest(c.requests); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

func TestRatios(t *testing.T) {
	slow := rounds{{Records: 100, Wall: 2 * time.Second, CPU: 4 * time.Second}, {Records: 100, Wall: time.Second, CPU: time.Second}}
	fast := rounds{{Records: 100, Wall: time.Second, CPU: time.Second}, {Records: 100, Wall: time.Second, CPU: time.Second}}
	if got := slow.against(fast, measurement.rate); got != 0.75 {
		t.Errorf("the median of the ratios 0.5 and 1 is %v", got)
	}
	if got := slow.against(fast, measurement.cost); got != 2.5 {
		t.Errorf("the median of the ratios 4 and 1 is %v", got)
	}
	if got := median([]float64{9, 1, 2}); got != 2 {
		t.Errorf("the median of 9, 1, 2 is %v", got)
	}
	if !math.IsNaN(ratio(1, 0)) || !math.IsNaN(median(nil)) {
		t.Error("no measurements result in a figure")
	}
}

// answered returns a log of n requests, evenly spread over a period.
func answered(n, status int, key string, from, span time.Duration) []request {
	var log []request
	for i := range n {
		log = append(log, request{At: from + span*time.Duration(i)/time.Duration(n), Status: status, Path: "/v1/charges", Key: key})
	}
	return log
}

func TestJudge(t *testing.T) {
	log := slices.Concat(answered(920, 200, "", 0, 10*time.Second), answered(10, 429, "", 0, time.Second))
	o := judge(log, map[string]int{"a": 200, "b": 200, "c": 200, "d": 200, "e": 100}, 10*time.Second)
	if o.share != 0.92 || o.minimum != 900 || o.shortest != 9*time.Second {
		t.Errorf("%+v", o)
	}
	if o.refused != 10.0/930 || o.overhead != 930.0/900 {
		t.Errorf("%+v", o)
	}
	if o = judge(answered(200, 200, "", 0, 10*time.Second), map[string]int{"a": 200}, 10*time.Second); o.share != 0.8 {
		t.Errorf("200 requests in 10 s are %v of the limit of one endpoint", o.share)
	}
}

func TestTogether(t *testing.T) {
	log := slices.Concat(
		answered(100, 200, "early", 0, time.Second), // uses up the burst
		answered(500, 200, "early", time.Second, 10*time.Second),
		answered(500, 200, "late", time.Second, 10*time.Second),
	)
	shares, refused, span := concurrentShares(log, []string{"early", "late"})
	if span < 7*time.Second || span > 8*time.Second {
		t.Errorf("both read for %s", span)
	}
	// 100 requests per second use the limit fully, but the burst of the first second was not used and is allowed in
	// addition.
	for key, share := range shares {
		if want := 0.5 * span.Seconds() / (span.Seconds() + 1); math.Abs(share-want) > 0.01 {
			t.Errorf("%s has a share of %.3f, not %.3f", key, share, want)
		}
	}
	if refused != 0 {
		t.Errorf("%v refused", refused)
	}
}

func TestTargets(t *testing.T) {
	for name, c := range map[string]struct {
		target target
		want   string
	}{
		"below a bound":  {atMost("x", 1, 2, times), "PASS"},
		"at a bound":     {atMost("x", 2, 2, times), "PASS"},
		"above a bound":  {atMost("x", 3, 2, times), "MISS"},
		"too little":     {atLeast("x", 0.5, 0.92, percent), "MISS"},
		"enough":         {atLeast("x", 0.93, 0.92, percent), "PASS"},
		"without figure": {atLeast("x", math.NaN(), 0, times), "MISS"},
	} {
		if got := c.target.verdict(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	s := section{name: "s", targets: []target{atMost("x", 3, 2, times), atLeast("y", 0.93, 0.92, percent)}}
	lines := strings.Join(verdictLines([]section{s}), "\n")
	if s.missed() != 1 || !strings.Contains(lines, "MISS  s         x: 3.00× (at most 2.00×)") {
		t.Error(lines)
	}
}

func TestTable(t *testing.T) {
	table := table{head: []string{"reader", "×"}}
	table.add("ours", "1.00×")
	want := "| reader |     × |\n|--------|------:|\n| ours   | 1.00× |\n"
	if got := table.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestChooseScenarios(t *testing.T) {
	chosen, err := chooseScenarios("wire,cpu")
	if err != nil || len(chosen) != 2 || chosen[0].name != "cpu" {
		t.Error(chosen, err)
	}
	if _, err := chooseScenarios("wires"); err == nil {
		t.Error("an unknown scenario was accepted")
	}
}
