package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/runlog"
)

func (a *app) runs() *cobra.Command {
	var filter runlog.Filter
	var format string
	cmd := &cobra.Command{
		Use:   "runs [FILE]",
		Short: "List pipeline runs",
		Long: `Lists the latest runs of the pipelines in a file (default: pipelines.yaml), with what they extracted from Stripe and loaded
into the destination, and their errors with how to fix them. A run is "lost" if its process died; the next run resumes from
the last stored state.`,
		Example: `  stripe-connector runs
  stripe-connector runs --pipeline acme --limit 5
  stripe-connector runs --format json pipelines.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRunLog(cmd.Context(), fileArgument(args, 0), func(log *runlog.Store) error {
				runs, err := log.Runs(cmd.Context(), filter)
				if err != nil {
					return err
				}
				if format == "json" {
					return a.printJSON(append([]runlog.Run{}, runs...))
				}
				_, err = fmt.Fprint(a.stdout, printable(runsTable(runs, time.Now())))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&filter.Pipeline, "pipeline", "", "list only the pipeline with this `name`")
	cmd.Flags().IntVar(&filter.Limit, "limit", 20, "maximum number of runs to list; 0 means all")
	formatFlag(cmd, &format, "table", "json")
	return cmd
}

// runsTable formats runs as an aligned table, followed by their errors.
func runsTable(runs []runlog.Run, now time.Time) string {
	rows := [][]string{{"RUN", "PIPELINE", "STARTED", "STATUS", "SECONDS", "LOADED", "DELETED", "REQUESTS"}}
	var errs []string
	for _, r := range runs {
		total := r.Total()
		rows = append(rows, []string{fmt.Sprint(r.ID), r.Pipeline, instant(r.Started), string(r.Status), fmt.Sprintf("%.1f", r.Duration(now).Seconds()),
			humanize.Comma(total.Loaded), humanize.Comma(total.Deleted), humanize.Comma(r.Requests)})
		if r.Error != "" {
			errs = append(errs, fmt.Sprintf("run %d: %s\n", r.ID, r.Error))
		}
	}
	table := align(rows, 4)
	if len(errs) > 0 {
		table += "\n" + fold(strings.Join(errs, ""))
	}
	return table
}
