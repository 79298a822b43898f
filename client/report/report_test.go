package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stripe-connector/stripe-connector/client/report"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

var write = flag.String("write", "", "write a sample page to this `file`")

var (
	since = time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)
	until = time.Date(2024, 1, 31, 15, 20, 0, 0, time.UTC)
)

// small returns two runs, newest first.
func small() []runlog.Run {
	at := func(day, hour int) time.Time { return time.Date(2024, 1, day, hour, 0, 0, 0, time.UTC) }
	return []runlog.Run{
		{ID: 2, Pipeline: "acme", Status: runlog.Failed, Started: at(31, 13), Ended: at(31, 13).Add(90 * time.Second), Attempt: 1,
			Requests: 10, Retries: 3, Waited: 2 * time.Second, Class: "AUTH", Error: "The key <b>was</b> rejected: create a new one.",
			Streams: []runlog.Stream{
				{Stream: "charges", Status: "incomplete", Extracted: 8, Loaded: 5, Deleted: 1, Withheld: 1234, SetAside: 3, Bytes: 2048, Duration: time.Second, Watermark: at(31, 12),
					Drift: &connectorv1.Drift{Examined: 8, NewFields: []*connectorv1.NewField{{Path: "<b>", Records: 1}, {Path: "hologram", Records: 1}}, AbsentFields: []string{"aura", "halo"}}},
				{Stream: "payouts", Status: "skipped", Error: "The key may not read payouts."},
			}},
		{ID: 1, Pipeline: "acme", Status: runlog.Succeeded, Started: at(30, 13), Ended: at(30, 14), Attempt: 1, Requests: 5,
			Streams: []runlog.Stream{
				{Stream: "charges", Status: "complete", Extracted: 1200, Loaded: 1200, Withheld: 1, SetAside: 7, Bytes: 1 << 20, Duration: time.Minute,
					Drift: &connectorv1.Drift{Examined: 220, NewFields: []*connectorv1.NewField{{Path: "hologram", Records: 20}}, AbsentFields: []string{"halo"}}},
				{Stream: "payouts", Status: "complete", Extracted: 3, Loaded: 3, Bytes: 10, Duration: time.Second,
					Drift: &connectorv1.Drift{Examined: 3, AbsentFields: []string{"scarce"}}},
			}},
	}
}

func TestFigures(t *testing.T) {
	r := report.New(small(), since, until)
	if len(r.Pipelines) != 1 {
		t.Fatalf("got %d pipelines", len(r.Pipelines))
	}
	got := r.Pipelines[0]
	got.Runs = nil
	want := report.Pipeline{
		Name: "acme", Succeeded: 1, Failed: 1, Extracted: 1211, Loaded: 1208, Deleted: 1, Withheld: 1235, SetAside: 3, Bytes: 1<<20 + 2058, Requests: 15,
		Retries: 3, Waited: 2,
		Streams: []report.Stream{
			{Stream: "charges", Status: "incomplete", Extracted: 1208, Loaded: 1205, Deleted: 1, Withheld: 1235, SetAside: 3, Bytes: 1<<20 + 2048, Seconds: 61,
				Drift: &connectorv1.Drift{Examined: 228, NewFields: []*connectorv1.NewField{{Path: "<b>", Records: 1}, {Path: "hologram", Records: 21}},
					AbsentFields: []string{"halo"}},
				FreshAt: time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)}, // its watermark
			{Stream: "payouts", Status: "skipped", Error: "The key may not read payouts.", Extracted: 3, Loaded: 3, Bytes: 10, Seconds: 1,
				Drift:   &connectorv1.Drift{Examined: 3, AbsentFields: []string{"scarce"}}, // too few to tell
				FreshAt: time.Date(2024, 1, 30, 13, 0, 0, 0, time.UTC)},                    // the start of the run that completed it
		},
		Days: []report.Day{
			{Date: "2024-01-30", Loaded: map[string]int64{"charges": 1200, "payouts": 3}},
			{Date: "2024-01-31", Loaded: map[string]int64{"charges": 5}},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSONDurationsAreSeconds(t *testing.T) {
	content, err := json.Marshal(report.New(small(), since, until))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"waited_seconds":2`, `"duration_seconds":90`, `"status":"failed"`, `"watermark":"2024-01-31T12:00:00Z"`} {
		if !strings.Contains(string(content), want) {
			t.Errorf("got %s, want a string with %s", content, want)
		}
	}
}

func page(t *testing.T, r *report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	html := page(t, report.New(small(), since, until))
	for _, want := range []string{
		"<b>1,208</b><span class=\"soft\">rows loaded</span>",
		"<b>3</b><span class=\"soft\">objects set aside now</span>",
		"<td class=\"r\">1,235</td><td class=\"r\">3</td>",
		"<b>50 %</b><span class=\"soft\">of 2 runs succeeded</span>",
		"<title>2024-01-30, charges: 1,200 rows</title>",
		"<title>run 2, 2024-01-31 13:00 UTC: failed, 1m30s, 5 rows</title>",
		"The key &lt;b&gt;was&lt;/b&gt; rejected: create a new one.",
		"<span>payouts</span><div class=\"failed\" style=\"width:100.0%\"></div><span>26 h 20 min</span>",
		"<span>charges</span><div class=\"failed\" style=\"width:12.7%\"></div><span>3 h 20 min</span>",
		"<tr><td class=\"t\">charges</td><td>&lt;b&gt; (1), hologram (21)</td><td>halo</td><td class=\"r\">228</td></tr>\n</table>",
		"default-src 'none'",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if outside := regexp.MustCompile(`(?i)<script|<link|<img|url\(|src=|https?://|@import`).FindString(html); outside != "" {
		t.Errorf("the page is not self-contained: %s", outside)
	}
	if strings.Contains(html, "NaN") || strings.Contains(html, "Inf") || strings.Contains(html, "ZgotmplZ") {
		t.Error("the page has an invalid number")
	}
}

func TestPageOfNothing(t *testing.T) {
	if html := page(t, report.New(nil, since, until)); !strings.Contains(html, "No pipeline ran in this period") {
		t.Errorf("got %s", html)
	}
	running := []runlog.Run{{ID: 1, Pipeline: "new", Status: runlog.Running, Started: until.Add(-time.Second)}}
	if html := page(t, report.New(running, since, until)); !strings.Contains(html, "<b>–</b><span class=\"soft\">of 0 runs succeeded</span>") {
		t.Errorf("got %s", html)
	}
}

// TestChartsAreWellFormed parses the charts of a month of runs as XML.
func TestChartsAreWellFormed(t *testing.T) {
	r := report.New(month(), since, until)
	html := page(t, r)
	if *write != "" {
		if err := os.WriteFile(*write, []byte(html), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	charts := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(html, -1)
	if len(charts) != 4 {
		t.Errorf("got %d charts, want 2 for each of 2 pipelines", len(charts))
	}
	rects := 0
	for _, chart := range charts {
		d := xml.NewDecoder(strings.NewReader(chart))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
				rects++
				for _, a := range e.Attr {
					var v float64
					if _, err := fmt.Sscan(a.Value, &v); a.Name.Local != "class" && (err != nil || v < 0 || v > 520) {
						t.Fatalf("%s is %s: outside of the chart", a.Name.Local, a.Value)
					}
				}
			}
		}
	}
	if rects < 100 {
		t.Errorf("got %d bars", rects)
	}
}

// month returns a made-up month of runs of two pipelines.
func month() []runlog.Run {
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"balance_transactions", "charges", "checkout_sessions", "customers", "disputes", "events", "invoice_line_items",
		"invoices", "payment_intents", "payouts", "refunds", "subscription_items", "subscriptions"}
	var runs []runlog.Run
	id := int64(0)
	for at := since.Add(time.Hour); at.Before(until); at = at.Add(3 * time.Hour) {
		for i, pipeline := range []string{"acme-eu", "acme-us"} {
			if i == 1 && at.Hour()%4 != 0 {
				continue
			}
			id++
			run := runlog.Run{ID: id, Pipeline: pipeline, Attempt: 1, Status: runlog.Succeeded, Started: at,
				Requests: 40 + random.Int64N(60), Retries: random.Int64N(3), Waited: time.Duration(random.Int64N(4e9)), Reads: 1}
			run.Ended = at.Add(40*time.Second + time.Duration(random.Int64N(90e9)))
			for j, name := range names {
				n := random.Int64N(400) * int64(j%4+1)
				s := runlog.Stream{Stream: name, Status: "complete", Extracted: n + n/50, Loaded: n, Deleted: n / 90, Bytes: n * 1700,
					Duration: time.Duration(n) * 9 * time.Millisecond, Watermark: at.Add(-time.Duration(random.Int64N(9e11)))}
				if name == "disputes" {
					s = runlog.Stream{Stream: name, Status: "skipped", Error: "The key may not read disputes. Grant it rak_dispute_read in Stripe's Dashboard (Developers, API keys), or exclude the stream."}
				}
				run.Streams = append(run.Streams, s)
			}
			switch random.IntN(30) {
			case 0:
				run.Status, run.Class, run.Error = runlog.Failed, "TRANSIENT", "gave up after 5 attempts without progress: Stripe answered 500 to GET /v1/charges. Try again later."
				run.Streams[1].Status = "incomplete"
			case 1:
				run.Status, run.Class, run.Error = runlog.Lost, "SYSTEM", "The process died during the run. The stored data is consistent, and the next run resumes from there."
			}
			runs = append([]runlog.Run{run}, runs...)
		}
	}
	return runs
}
