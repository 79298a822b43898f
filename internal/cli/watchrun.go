package cli

import (
	"sync"
	"time"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// runDisplay shows the progress of run: a line for each event of a pipeline, and now and then a line of progress.
type runDisplay struct {
	app *app

	mu     sync.Mutex
	meters map[string]*runMeter // by pipeline
}

type runMeter struct {
	*meter
	last    time.Time // when the last progress line was printed
	printed int64     // number of records in that line
}

func newRunDisplay(a *app) *runDisplay { return &runDisplay{app: a, meters: map[string]*runMeter{}} }

// notify prints a line about a pipeline.
func (r *runDisplay) notify(pipeline, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.meters, pipeline) // any event ends the progress of the previous run
	r.app.inform("%s %s: %s", time.Now().UTC().Format(time.DateTime), pipeline, message)
}

// observe handles a message of a run.
func (r *runDisplay) observe(pipeline string, m *connectorv1.ReadResponse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	shown := r.meters[pipeline]
	if shown == nil {
		shown = &runMeter{meter: newMeter(0), last: now}
		r.meters[pipeline] = shown
	}
	shown.observe(m)
	if m.GetLog() != nil {
		r.app.inform("%s %s: %s", now.UTC().Format(time.DateTime), pipeline, logLine(m.GetLog()))
	}
	if m.GetProgress() == nil || now.Sub(shown.last) < progressInterval && !r.app.verbose {
		return
	}
	if shown.printed == shown.total && m.GetProgress().GetWaitingUntil() == nil {
		return // nothing new: a pipeline that follows may be idle for hours
	}
	shown.last, shown.printed = now, shown.total
	r.app.inform("%s %s: %s", now.UTC().Format(time.DateTime), pipeline, shown.overall(now))
}
