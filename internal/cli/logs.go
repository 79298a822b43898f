package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/runlog"
)

func (a *app) logs() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "logs RUN [FILE]",
		Short: "Show the log of a run",
		Long: `Shows the log of a pipeline run, and what the run extracted and loaded by stream. RUN is a number listed by "runs", or
last. FILE is the pipeline file (default: pipelines.yaml).`,
		Example: `  stripe-connector logs last
  stripe-connector logs 42 pipelines.yaml
  stripe-connector logs 42 --format json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			filter := runlog.Filter{Limit: 1}
			if args[0] != "last" {
				id, err := strconv.ParseInt(args[0], 10, 64)
				if err != nil || id < 1 {
					return usageError{fmt.Errorf("RUN must be the number of a run, or last, got %q", args[0]), cmd.CommandPath()}
				}
				filter.ID = id
			}
			return a.withRunLog(cmd.Context(), fileArgument(args, 1), func(log *runlog.Store) error {
				runs, err := log.Runs(cmd.Context(), filter)
				if err != nil {
					return err
				}
				if len(runs) == 0 {
					return fmt.Errorf("run %s doesn't exist: `stripe-connector runs` lists all runs", args[0])
				}
				entries, err := log.Entries(cmd.Context(), runs[0].ID)
				if err != nil {
					return err
				}
				if format == "json" {
					return a.printJSON(map[string]any{"run": runs[0], "entries": append([]runlog.Entry{}, entries...)})
				}
				_, err = fmt.Fprint(a.stdout, printable(logText(runs[0], entries, time.Now())))
				return err
			})
		},
	}
	formatFlag(cmd, &format, "table", "json")
	return cmd
}

// logText formats a run for the terminal: its summary, its log entries, and its streams.
func logText(r runlog.Run, entries []runlog.Entry, now time.Time) string {
	var b strings.Builder
	b.WriteString(runsTable([]runlog.Run{r}, now))
	fmt.Fprintf(&b, "\nDue at %s, run by %s in %s.\n\n", r.Slot.UTC().Format("2006-01-02 15:04:05 UTC"), r.Process, count(r.Reads, "Read"))
	for _, e := range entries {
		line := e.At.UTC().Format("15:04:05.000 ") + e.Level + ": "
		if name := streamName(e.Stream, e.Account); name != "" {
			line += name + ": "
		}
		b.WriteString(line + e.Message + "\n")
	}
	if len(r.Streams) == 0 {
		return b.String()
	}
	rows := [][]string{{"STREAM", "STATUS", "EXTRACTED", "LOADED", "DELETED", "FRESH AT"}}
	var reasons []string
	for _, s := range r.Streams {
		rows = append(rows, []string{streamName(s.Stream, s.Account), s.Status, humanize.Comma(s.Extracted), humanize.Comma(s.Loaded),
			humanize.Comma(s.Deleted), instant(s.Watermark)})
		if s.Error != "" {
			reasons = append(reasons, streamName(s.Stream, s.Account)+": "+s.Error+"\n")
		}
	}
	b.WriteString("\n" + align(rows, 2))
	if len(reasons) > 0 {
		b.WriteString("\n" + fold(strings.Join(reasons, "")))
	}
	return b.String()
}

// instant formats a time for a table, or returns "-" if it is zero.
func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
