package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/report"
	"github.com/stripe-connector/stripe-connector/client/runlog"
)

const reportHelp = `Reports what the pipelines in a file (default: pipelines.yaml) have extracted and loaded recently, by pipeline and stream,
how fresh the rows are, what failed and how to fix it, and new fields: those that Stripe sent and no schema describes.

The HTML format is a self-contained page with charts, which needs neither a server nor the network: open it in a browser, or
send it to someone.`

func (a *app) loadingReport() *cobra.Command {
	var format, out, only string
	var days int
	cmd := &cobra.Command{
		Use:   "report [FILE]",
		Short: "Report what pipelines loaded, as a table, JSON or a page with charts",
		Long:  reportHelp,
		Example: `  stripe-connector report
  stripe-connector report --out report.html
  stripe-connector report --days 7 --pipeline acme --format json`,
		Args: cobra.MaximumNArgs(1),
	}
	formatFlag(cmd, &format, "table", "json", "html")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if days < 1 || days > 3650 {
			return usageError{fmt.Errorf("--days must be between 1 and 3650, got %d", days), cmd.CommandPath()}
		}
		if end := strings.TrimPrefix(filepath.Ext(out), "."); !cmd.Flags().Changed("format") && (end == "html" || end == "json") {
			format = end
		}
		return a.withRunLog(cmd.Context(), fileArgument(args, 0), func(log *runlog.Store) error {
			until := time.Now().UTC()
			since := until.Truncate(24*time.Hour).AddDate(0, 0, 1-days)
			runs, err := log.Runs(cmd.Context(), runlog.Filter{Pipeline: only, Since: since})
			if err != nil {
				return err
			}
			return a.writeReport(report.New(runs, since, until), format, out)
		})
	}
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "`file` to write to; the extension .html or .json determines the format (default: stdout)")
	flags.StringVar(&only, "pipeline", "", "report only on the pipeline with this `name`")
	flags.IntVar(&days, "days", 30, "`number` of days to report on, including today")
	return cmd
}

// writeReport writes a report to the file at path, or to stdout if path is empty.
func (a *app) writeReport(r *report.Report, format, path string) error {
	var content bytes.Buffer
	var err error
	switch format {
	case "html":
		err = r.WriteHTML(&content)
	case "json":
		printer := *a
		printer.stdout = &content
		err = printer.printJSON(r)
	default:
		content.WriteString(printable(loadingTable(r)))
	}
	if err != nil {
		return err
	}
	if path == "" {
		_, err := a.stdout.Write(content.Bytes())
		return err
	}
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	writeLine(a.stderr, "The report is in %s.", path)
	return nil
}

// loadingTable formats a report as aligned tables.
func loadingTable(r *report.Report) string {
	if len(r.Pipelines) == 0 {
		return fmt.Sprintf("Nothing has run since %s.\n", r.Since.Format(time.DateOnly))
	}
	var b strings.Builder
	for i, p := range r.Pipelines {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(fold(fmt.Sprintf("%s since %s: %s, %d succeeded, %d failed; %s, %s requests, %s retried, %.1f s waited\n", p.Name,
			r.Since.Format(time.DateOnly), count(len(p.Runs), "run"), p.Succeeded, p.Failed, humanize.Bytes(uint64(p.Bytes)), humanize.Comma(p.Requests), humanize.Comma(p.Retries), p.Waited)) + "\n")
		rows := [][]string{{"STREAM", "STATUS", "EXTRACTED", "LOADED", "DELETED", "FRESH AT"}}
		errs := map[string]bool{}
		var reasons []string
		add := func(who, message string) {
			if message != "" && !errs[message] {
				errs[message] = true
				reasons = append(reasons, who+": "+message+"\n")
			}
		}
		for _, run := range p.Runs {
			add(fmt.Sprintf("run %d", run.ID), run.Error)
		}
		for _, s := range p.Streams {
			rows = append(rows, []string{s.Title(), s.Status, humanize.Comma(s.Extracted), humanize.Comma(s.Loaded), humanize.Comma(s.Deleted),
				instant(s.FreshAt)})
			add(s.Title(), s.Error)
		}
		rows = append(rows, []string{"total", "", humanize.Comma(p.Extracted), humanize.Comma(p.Loaded), humanize.Comma(p.Deleted), ""})
		b.WriteString(align(rows, 2))
		if len(reasons) > 0 {
			b.WriteString("\n" + fold(strings.Join(reasons, "")))
		}
		b.WriteString(fold(driftText(p)))
	}
	return b.String()
}

// driftText lists the streams whose records differ from their schemas. Behind each new field is the number of records that have it,
// among those that were examined.
func driftText(p report.Pipeline) string {
	var b strings.Builder
	for _, s := range p.Drifting() {
		if fields := s.NewFields(); len(fields) > 0 {
			fmt.Fprintf(&b, "%s: new fields, which the schema doesn't describe: %s\n", s.Title(), strings.Join(fields, ", "))
		}
		if fields := s.AbsentFields(); len(fields) > 0 {
			fmt.Fprintf(&b, "%s: fields of the schema that none of %s has: %s\n", s.Title(), records(s.Drift.GetExamined()), strings.Join(fields, ", "))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + b.String()
}
