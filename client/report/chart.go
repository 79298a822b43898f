package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/client/runlog"
)

// The size of a chart, in units of its view box. The margins hold the axis labels.
const (
	width, height       = 520.0, 230.0
	left, bottom, above = 52.0, 24.0, 10.0
	plotWidth           = width - left
	plotHeight          = height - bottom - above
)

// shades is the number of colors for streams. All further streams share one more, gray.
const shades = 7

// chart is a drawing with two axes.
type chart struct {
	Width, Height, Left, Floor float64
	Marks                      []mark
	Rows                       []tick // of the axis of values
	Columns                    []tick // of the axis of time
	Legend                     []legend
}

// mark is a bar or, with a radius, a dot.
type mark struct {
	X, Y, W, H, R float64
	Class, Title  string
}

type tick struct {
	At    float64
	Label string
}

type legend struct{ Class, Label string }

func newChart() chart { return chart{Width: width, Height: height, Left: left, Floor: height - bottom} }

// scale sets up the value axis for values up to maximum, and returns a function that maps a value to its height.
func (c *chart) scale(maximum float64, label func(float64) string) func(float64) float64 {
	step := niceStep(maximum / 4)
	top := step * math.Max(1, math.Ceil(maximum/step-1e-9))
	to := func(v float64) float64 { return v / top * plotHeight }
	for v := 0.0; v <= top+step/2; v += step {
		c.Rows = append(c.Rows, tick{c.Floor - to(v), label(v)})
	}
	return to
}

// niceStep returns the smallest number that is 1, 2 or 5 times a power of ten and at least v.
func niceStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= v {
			return times * power
		}
	}
	return 10 * power
}

// minDays is the minimum number of days in the chart of rows.
const minDays = 7

// firstStart returns when the oldest run started.
func firstStart(p Pipeline) time.Time {
	if len(p.Runs) == 0 {
		return time.Time{}
	}
	return p.Runs[len(p.Runs)-1].Started
}

// rowsChart draws the rows loaded per day and stream, starting at since or at the first run, whichever is later.
func rowsChart(p Pipeline, since, until time.Time) chart {
	c := newChart()
	week := until.AddDate(0, 0, 1-minDays)
	if first := firstStart(p); first.Before(week) {
		week = first
	}
	if week.After(since) {
		since = week
	}
	totals := map[string]int64{}
	byDate := map[string]Day{}
	for _, d := range p.Days {
		byDate[d.Date] = d
		for stream, n := range d.Loaded {
			totals[stream] += n
		}
	}
	streams := make([]string, 0, len(totals))
	for stream := range totals {
		streams = append(streams, stream)
	}
	slices.SortFunc(streams, func(a, b string) int { return cmp.Or(cmp.Compare(totals[b], totals[a]), cmp.Compare(a, b)) })
	for i, stream := range streams[:min(shades, len(streams))] {
		c.Legend = append(c.Legend, legend{shade(i), stream})
	}
	if rest := len(streams) - shades; rest > 0 {
		c.Legend = append(c.Legend, legend{shade(shades), fmt.Sprintf("%d more", rest)})
	}
	dates := datesBetween(since, until)
	maximum := int64(0)
	for _, d := range p.Days {
		maximum = max(maximum, d.total())
	}
	to := c.scale(float64(max(maximum, 1)), formatTick)
	slot := plotWidth / float64(len(dates))
	for i, date := range dates {
		x, y := left+float64(i)*slot, c.Floor
		if i%(len(dates)/10+1) == 0 {
			c.Columns = append(c.Columns, tick{x + slot/2, date[5:]})
		}
		for rank, stream := range streams {
			n := byDate[date].Loaded[stream]
			if n == 0 {
				continue
			}
			h := to(float64(n))
			y -= h
			c.Marks = append(c.Marks, mark{X: x + slot*0.12, Y: y, W: slot * 0.76, H: h, Class: shade(rank),
				Title: fmt.Sprintf("%s, %s: %s rows", date, stream, thousands(n))})
		}
	}
	return c
}

func (d Day) total() (n int64) {
	for _, rows := range d.Loaded {
		n += rows
	}
	return n
}

// shade returns the CSS class of the stream with this rank.
func shade(rank int) string { return fmt.Sprintf("s%d", min(rank, shades)) }

// datesBetween returns every UTC date from since to until.
func datesBetween(since, until time.Time) []string {
	var dates []string
	for t := since.UTC().Truncate(24 * time.Hour); !t.After(until); t = t.Add(24 * time.Hour) {
		dates = append(dates, t.Format(time.DateOnly))
	}
	return dates
}

// durationChart draws how long each run took.
func durationChart(p Pipeline, until time.Time) chart {
	c := newChart()
	longest := time.Second
	for _, run := range p.Runs {
		longest = max(longest, run.Duration(until))
	}
	unit, name := time.Second, "s"
	if longest >= 5*time.Minute {
		unit, name = time.Minute, "min"
	}
	to := c.scale(longest.Seconds()/unit.Seconds(), func(v float64) string { return fmt.Sprintf("%g %s", v, name) })
	since := firstStart(p).UTC()
	span := max(until.Sub(since), time.Minute)
	across := func(t time.Time) float64 {
		return left + edge + (plotWidth-2*edge)*t.Sub(since).Seconds()/span.Seconds()
	}
	seen := map[string]bool{}
	for _, run := range p.Runs {
		d := run.Duration(until)
		class := string(run.Status)
		seen[class] = true
		c.Marks = append(c.Marks, mark{
			X: across(run.Started), Y: c.Floor - to(d.Seconds()/unit.Seconds()), R: 4, Class: class,
			Title: fmt.Sprintf("run %d, %s: %s, %s, %s rows", run.ID, run.Started.UTC().Format("2006-01-02 15:04 UTC"), class,
				d.Round(100*time.Millisecond), thousands(run.Total().Loaded)),
		})
	}
	for _, status := range []runlog.Status{runlog.Succeeded, runlog.Failed, runlog.Lost, runlog.Stopped, runlog.Running} {
		if seen[string(status)] {
			c.Legend = append(c.Legend, legend{string(status), string(status)})
		}
	}
	layout := "01-02"
	if span < 3*24*time.Hour {
		layout = "01-02 15:04"
	}
	for i := range timeTicks {
		t := since.Add(span / (timeTicks - 1) * time.Duration(i))
		c.Columns = append(c.Columns, tick{across(t), t.Format(layout)})
	}
	return c
}

// timeTicks is the number of labels on a time axis, and edge is the space that half a label needs.
const (
	timeTicks = 5
	edge      = 38.0
)

// age is a bar of the freshness chart.
type age struct {
	Stream, Text, Class string
	Percent             float64
}

// maxAges is the maximum number of streams in the freshness chart.
const maxAges = 20

// ages returns the streams with the stalest rows, stalest first, and the number of streams that don't fit.
func ages(p Pipeline, until time.Time) (all []age, more int) {
	var known []Stream
	for _, s := range p.Streams {
		if !s.FreshAt.IsZero() {
			known = append(known, s)
		}
	}
	slices.SortStableFunc(known, func(a, b Stream) int { return a.FreshAt.Compare(b.FreshAt) })
	for _, s := range known[:min(maxAges, len(known))] {
		d := until.Sub(s.FreshAt)
		class := "succeeded"
		if s.Status != "complete" {
			class = "failed"
		}
		oldest := max(until.Sub(known[0].FreshAt), time.Second)
		all = append(all, age{s.Title(), formatAge(d), class, math.Max(0.5, 100*d.Seconds()/oldest.Seconds())})
	}
	return all, max(0, len(known)-maxAges)
}
