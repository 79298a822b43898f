package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Report summarizes what pipelines did in a period.
type Report struct {
	Since     time.Time  `json:"since"`
	Until     time.Time  `json:"until"`
	Pipelines []Pipeline `json:"pipelines"`
}

// Pipeline summarizes the runs of one pipeline.
type Pipeline struct {
	Name string `json:"name"`
	// Runs are newest first. Succeeded and Failed count them. Lost runs count as failed, running and stopped runs as neither.
	Runs      []runlog.Run `json:"runs"`
	Succeeded int          `json:"succeeded"`
	Failed    int          `json:"failed"`
	// The counts are sums over all runs.
	Extracted int64 `json:"extracted"`
	Loaded    int64 `json:"loaded"`
	Deleted   int64 `json:"deleted"`
	Withheld  int64 `json:"withheld"`
	Bytes     int64 `json:"bytes"`
	Requests  int64 `json:"requests"`
	Retries   int64 `json:"retries"`
	// Waited is in seconds.
	Waited float64 `json:"waited_seconds"`
	// SetAside counts the objects of all streams that are currently set aside.
	SetAside int64 `json:"set_aside"`
	// Streams are in alphabetical order.
	Streams []Stream `json:"streams"`
	// Days are the days with runs, oldest first.
	Days []Day `json:"days"`
}

// Stream summarizes one stream of one account over all runs.
type Stream struct {
	Stream  string `json:"stream"`
	Account string `json:"account,omitempty"`
	// Status, Error and SetAside are those of the newest run that has the stream. SetAside counts the objects that could not
	// be read.
	Status   string `json:"status"`
	Error    string `json:"error,omitempty"`
	SetAside int64  `json:"set_aside"`
	// The counts are summed over all runs. Withheld counts records that the destination can't apply.
	Extracted int64 `json:"extracted"`
	Loaded    int64 `json:"loaded"`
	Deleted   int64 `json:"deleted"`
	Withheld  int64 `json:"withheld"`
	Bytes     int64 `json:"bytes"`
	// Drift is how the records of all runs, taken together, differ from the stream's schema; nil if none was examined.
	Drift *connectorv1.Drift `json:"drift,omitempty"`
	// Seconds is the time that the stream took, summed over all runs.
	Seconds float64 `json:"duration_seconds"`
	// FreshAt is the time up to which the rows match the source: the latest watermark or, if the service reports none, the
	// start of the newest run that completed the stream. It is zero if no run did.
	FreshAt time.Time `json:"fresh_at,omitzero"`
}

// Day is what was loaded on one day, in UTC.
type Day struct {
	Date string `json:"date"` // as 2024-01-31
	// Loaded counts rows by stream, summed over accounts.
	Loaded map[string]int64 `json:"loaded"`
}

// New returns a report of runs that started between since and until. They are sorted newest first, as [runlog.Store.Runs]
// returns them.
func New(runs []runlog.Run, since, until time.Time) *Report {
	r := &Report{Since: since, Until: until, Pipelines: []Pipeline{}}
	byName := map[string][]runlog.Run{}
	for _, run := range runs {
		byName[run.Pipeline] = append(byName[run.Pipeline], run)
	}
	for name, runs := range byName {
		r.Pipelines = append(r.Pipelines, newPipeline(name, runs))
	}
	slices.SortFunc(r.Pipelines, func(a, b Pipeline) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

func newPipeline(name string, runs []runlog.Run) Pipeline {
	p := Pipeline{Name: name, Runs: runs}
	streams := map[client.StreamKey]*Stream{}
	days := map[string]map[string]int64{}
	for _, run := range runs {
		switch run.Status {
		case runlog.Succeeded:
			p.Succeeded++
		case runlog.Failed, runlog.Lost:
			p.Failed++
		}
		total := run.Total()
		p.Extracted += total.Extracted
		p.Loaded += total.Loaded
		p.Deleted += total.Deleted
		p.Withheld += total.Withheld
		p.Bytes += total.Bytes
		p.Requests += run.Requests
		p.Retries += run.Retries
		p.Waited += run.Waited.Seconds()
		date := run.Started.UTC().Format(time.DateOnly)
		if days[date] == nil {
			days[date] = map[string]int64{}
		}
		for _, s := range run.Streams {
			if s.Loaded > 0 {
				days[date][s.Stream] += s.Loaded
			}
			key := client.StreamKey{Stream: s.Stream, Account: s.Account}
			if streams[key] == nil {
				streams[key] = &Stream{Stream: s.Stream, Account: s.Account, Status: s.Status, Error: s.Error, SetAside: s.SetAside}
				p.SetAside += s.SetAside
			}
			streams[key].add(run, s)
		}
	}
	for _, s := range streams {
		p.Streams = append(p.Streams, *s)
	}
	slices.SortFunc(p.Streams, func(a, b Stream) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Account, b.Account))
	})
	for date, loaded := range days {
		p.Days = append(p.Days, Day{date, loaded})
	}
	slices.SortFunc(p.Days, func(a, b Day) int { return cmp.Compare(a.Date, b.Date) })
	return p
}

// add adds the counts of a run.
func (s *Stream) add(run runlog.Run, of runlog.Stream) {
	s.Extracted += of.Extracted
	s.Loaded += of.Loaded
	s.Deleted += of.Deleted
	s.Withheld += of.Withheld
	s.Bytes += of.Bytes
	s.Drift = client.JoinDrifts(s.Drift, of.Drift)
	s.Seconds += of.Duration.Seconds()
	fresh := of.Watermark
	if fresh.IsZero() && of.Status == "complete" {
		fresh = run.Started
	}
	if fresh.After(s.FreshAt) {
		s.FreshAt = fresh
	}
}

// Title returns the stream's name for display, with its account if there is one.
func (s Stream) Title() string {
	if s.Account == "" {
		return s.Stream
	}
	return s.Stream + " of " + s.Account
}

// leastExamined is the minimum number of records to examine before fields that none of them has are reported.
const leastExamined = 50

// NewFields returns the fields that the stream's schema doesn't describe, each with the number of records that have it.
func (s Stream) NewFields() []string {
	var named []string
	for _, f := range s.Drift.GetNewFields() {
		named = append(named, fmt.Sprintf("%s (%d)", f.GetPath(), f.GetRecords()))
	}
	return named
}

// AbsentFields returns the fields of the stream's schema that no record has, if enough records were examined to tell.
func (s Stream) AbsentFields() []string {
	if s.Drift.GetExamined() < leastExamined {
		return nil
	}
	return s.Drift.GetAbsentFields()
}

// Drifting returns the streams with new or absent fields.
func (p Pipeline) Drifting() []Stream {
	return slices.DeleteFunc(slices.Clone(p.Streams), func(s Stream) bool { return len(s.NewFields())+len(s.AbsentFields()) == 0 })
}
