package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/client/runlog"
)

// streamStatus is the status of one stream of a pipeline.
type streamStatus struct {
	Stream  string    `json:"stream"`
	Account string    `json:"account,omitempty"`
	Status  string    `json:"status"`            // in the last run
	FreshAt time.Time `json:"fresh_at,omitzero"` // changes up to this time are in the table
	Lag     float64   `json:"lag_seconds,omitempty"`
	Rows    int64     `json:"rows"` // loaded by the runs in the log
	Error   string    `json:"error,omitempty"`
}

// pipelineStatus is the status of a pipeline.
type pipelineStatus struct {
	Pipeline    string         `json:"pipeline"`
	Schedule    string         `json:"schedule"`
	Last        string         `json:"last"` // status of the last run
	LastSuccess time.Time      `json:"last_success,omitzero"`
	Next        time.Time      `json:"next,omitzero"` // zero while it is running
	Streams     []streamStatus `json:"streams"`
}

func (a *app) status() *cobra.Command {
	var format, only string
	cmd := &cobra.Command{
		Use:   "status [FILE]",
		Short: "Show how fresh the tables of each pipeline are, and when it runs next",
		Long: `Shows the last run, the last success and the next run of each pipeline in a file (default: pipelines.yaml), and how stale the
rows of each stream may be. For a pipeline that follows, that is the time since it last checked for changes.`,
		Example: `  stripe-connector status
  stripe-connector status --pipeline acme --format json pipelines.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.readPipelines(fileArgument(args, 0))
			if err != nil {
				return err
			}
			if only != "" {
				if err := file.Only([]string{only}); err != nil {
					return err
				}
			}
			all, err := statusOf(cmd.Context(), file, time.Now())
			if err != nil {
				return err
			}
			if format == "json" {
				return a.printJSON(all)
			}
			_, err = fmt.Fprint(a.stdout, statusText(all, time.Now()))
			return err
		},
	}
	cmd.Flags().StringVar(&only, "pipeline", "", "show only the pipeline with this `name`")
	formatFlag(cmd, &format, "table", "json")
	return cmd
}

// statusOf derives the status of each pipeline from the run log. A pipeline that has never run has no streams.
func statusOf(ctx context.Context, file *pipeline.File, now time.Time) (all []pipelineStatus, err error) {
	log, err := runlog.View(ctx, file.RunLog)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if log != nil {
		defer func() { err = errors.Join(err, log.Close()) }()
		if err := file.Reap(ctx, log); err != nil {
			return nil, err
		}
	}
	for _, p := range file.Pipelines {
		s := pipelineStatus{Pipeline: p.Name, Schedule: p.Schedule.String(), Last: "never ran", Next: p.Schedule.First(time.Time{}, now), Streams: []streamStatus{}}
		if log != nil {
			runs, err := log.Runs(ctx, runlog.Filter{Pipeline: p.Name})
			if err != nil {
				return nil, err
			}
			s.add(p, runs, now)
		}
		all = append(all, s)
	}
	return all, nil
}

// add adds the runs of a pipeline, newest first, to its status.
func (s *pipelineStatus) add(p pipeline.Pipeline, runs []runlog.Run, now time.Time) {
	at := map[string]int{}
	for i, run := range runs {
		if i == 0 {
			s.Last = string(run.Status)
			s.Next = p.Schedule.Next(run.Slot, now)
			if run.Status == runlog.Running {
				s.Next = time.Time{}
			}
		}
		if run.Status == runlog.Succeeded && s.LastSuccess.IsZero() {
			s.LastSuccess = run.Ended
		}
		for _, stream := range run.Streams {
			name := streamName(stream.Stream, stream.Account)
			k, known := at[name]
			if !known {
				if i > 0 && s.Last != string(runlog.Running) {
					continue // no longer selected
				}
				k = len(s.Streams)
				at[name] = k
				s.Streams = append(s.Streams, streamStatus{Stream: stream.Stream, Account: stream.Account, Status: stream.Status, Error: stream.Error})
			}
			s.Streams[k].Rows += stream.Loaded
			if s.Streams[k].FreshAt.IsZero() && !stream.Watermark.IsZero() {
				s.Streams[k].FreshAt = stream.Watermark
				s.Streams[k].Lag = now.Sub(stream.Watermark).Seconds()
			}
		}
	}
}

func statusText(all []pipelineStatus, now time.Time) string {
	text := ""
	for i, p := range all {
		if i > 0 {
			text += "\n"
		}
		head := fmt.Sprintf("%s, %s: last run %s", p.Pipeline, p.Schedule, p.Last)
		if !p.LastSuccess.IsZero() {
			head += ", last success " + humanize.RelTime(p.LastSuccess, now, "ago", "from now")
		}
		if !p.Next.IsZero() && p.Last != "never ran" {
			head += ", next run at " + p.Next.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		text += fold(head + "\n")
		if len(p.Streams) == 0 {
			continue
		}
		rows := [][]string{{"STREAM", "STATUS", "ROWS LOADED", "FRESH AT", "LAG"}}
		var reasons notes
		for _, s := range p.Streams {
			lag := "-"
			if !s.FreshAt.IsZero() {
				lag = seconds(now.Sub(s.FreshAt).Round(time.Second))
			}
			name := streamName(s.Stream, s.Account)
			rows = append(rows, []string{name, s.Status, humanize.Comma(s.Rows), instant(s.FreshAt), lag})
			if s.Error != "" {
				reasons.note(name, s.Error+"\n")
			}
		}
		text += "\n" + align(rows, 2) + fold(reasons.String())
	}
	return text
}
