package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/stripe-connector/stripe-connector/client/runlog"
)

//go:embed report.html
var pageText string

// maxRuns is the maximum number of runs in the page's table.
const maxRuns = 50

// page is the data of the template.
type page struct {
	Since, Until string
	Sections     []section
}

// section is the part of the page about one pipeline.
type section struct {
	Pipeline
	Rate            string // the share of finished runs that succeeded
	Finished        int
	Rows, Durations chart
	Ages            []age
	MoreAges        int
	Latest          []runlog.Run
	MoreRuns        int
	Problems        []problem
	Stale           string // the age of the stalest stream
}

// problem is a recent failure and how to fix it.
type problem struct {
	Where, Message string
	Count          int
	Last           time.Time
}

// WriteHTML writes the report as a self-contained HTML page.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"n": thousands, "list": func(names []string) string { return strings.Join(names, ", ") }, "bytes": formatBytes, "px": func(v float64) string { return fmt.Sprintf("%.1f", v) },
		"when": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.UTC().Format("2006-01-02 15:04")
		},
		"seconds": func(s float64) string { return formatDuration(time.Duration(s * float64(time.Second))) },
		"took":    func(run runlog.Run) string { return formatDuration(run.Duration(r.Until)) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	p := page{Since: r.Since.UTC().Format(time.DateOnly), Until: r.Until.UTC().Format("2006-01-02 15:04 UTC")}
	for _, of := range r.Pipelines {
		p.Sections = append(p.Sections, r.section(of))
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *Report) section(p Pipeline) section {
	s := section{Pipeline: p, Rate: "–", Stale: "–",
		Rows: rowsChart(p, r.Since, r.Until), Durations: durationChart(p, r.Until), Problems: problems(p)}
	if s.Finished = p.Succeeded + p.Failed; s.Finished > 0 {
		s.Rate = fmt.Sprintf("%.0f %%", 100*float64(p.Succeeded)/float64(s.Finished))
	}
	s.Ages, s.MoreAges = ages(p, r.Until)
	if len(s.Ages) > 0 {
		s.Stale = s.Ages[0].Text
	}
	s.Latest = p.Runs[:min(maxRuns, len(p.Runs))]
	s.MoreRuns = len(p.Runs) - len(s.Latest)
	return s
}

// problems returns the distinct errors of the runs, and why streams are incomplete.
func problems(p Pipeline) []problem {
	var all []problem
	index := map[string]int{}
	for _, run := range p.Runs {
		if run.Error == "" {
			continue
		}
		i, ok := index[run.Error]
		if !ok {
			i = len(all)
			index[run.Error] = i
			all = append(all, problem{Where: fmt.Sprintf("run %d", run.ID), Message: run.Error, Last: run.Started})
		}
		all[i].Count++
	}
	for _, s := range p.Streams {
		if s.Error != "" {
			all = append(all, problem{Where: s.Title() + ", " + s.Status, Message: s.Error})
		}
	}
	return all
}
