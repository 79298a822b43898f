package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain runs the tests or, in a child process, the child's commands.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArgument {
		os.Exit(runChild(os.Args[2], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func testBench(t *testing.T) *bench {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{settings: settings{quick: true}, executable: executable}
}

// TestReaders reads a few hundred objects with each reader.
func TestReaders(t *testing.T) {
	b := testBench(t)
	c, err := b.newContest(t.Context(), evenData(250), world{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.stripe.stop()
	c.sideBySide, c.unlimited = 3, true
	if err := c.round(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if len(c.pages) != 15 {
		t.Errorf("five lists of 250 objects have %d pages", len(c.pages))
	}
	for _, name := range []string{oursName, floorName, sequentialName, afternoonName} {
		m := c.results[name][0]
		if m.Records != 1250 || m.Wall <= 0 || m.CPU <= 0 || m.Peak < 1<<20 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if text := c.table().String(); strings.Contains(text, "NaN") {
		t.Error(text)
	}
}

// TestRequestsOfLists compares the crawl's counts with known ones, and the connector's with the crawl's.
func TestRequestsOfLists(t *testing.T) {
	b := testBench(t)
	stripe, err := b.simulate(t.Context(), world{Objects: map[string]int{
		"/v1/invoices": 120, "/v1/invoices/{invoice}/lines": 12, "/v1/customers": 101,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer stripe.stop()
	ours, err := b.serve(t.Context(), stripe.url)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.stop()
	c := newCrawl(stripe.url)
	defer c.client.CloseIdleConnections()
	for stream, want := range map[string]int{
		"coupons":                       1,
		"invoices":                      2,
		"invoice_line_items":            2 + 120,
		"customer_balance_transactions": 2 + 101,
	} {
		minimum, err := c.minimum(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		if minimum != want {
			t.Errorf("%s takes at least %d requests, the crawl says %d", stream, want, minimum)
		}
		took, skipped, err := count(t.Context(), stripe, ours, []string{stream})
		if err != nil {
			t.Fatal(err)
		}
		if took < minimum || skipped {
			t.Errorf("%s took %d requests and needs %d; skipped: %t", stream, took, minimum, skipped)
		}
	}
}

func TestChildEndsWithItsParent(t *testing.T) {
	c, err := testBench(t).start(t.Context(), "page")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.do("nonsense", nil, nil); err == nil {
		t.Error("an unknown command was executed")
	}
	if err := c.stdin.Close(); err != nil { // as when the parent dies
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the child ended with %v", err)
	}
}
