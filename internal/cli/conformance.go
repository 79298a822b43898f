package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/internal/conformance"
)

const conformanceHelp = `Tests a client of the gRPC service, in any language: whether it loses nothing and does the right thing when a connection breaks, a
stream fails, rows are deleted, or the client is killed. Everything is simulated on this machine.

The client is a command that syncs once and exits. It is run one or more times in each scenario, with these environment variables:
  STRIPE_CONNECTOR_TARGET  host:port of the service, in clear text
  STRIPE_CONNECTOR_CONFIG  a JSON file with the configuration
  STRIPE_CONNECTOR_FOLDER  a folder for the client's state and rows, which stays the same within a scenario

The client must
  - read all streams that Discover returns, in SYNC_MODE_INCREMENTAL, to their end;
  - before it exits, even if it failed, write the rows of each stream to the file STREAM.jsonl in the folder: one row per line, as in
    the data of its record;
  - exit with 0 if each stream is COMPLETE or SKIPPED, and otherwise with another code.

Scenarios:
%s
The rows are compared with those of a complete read. The exit code is 1 if a scenario failed.`

// conformanceFlags holds the flags of conformance.
type conformanceFlags struct {
	options conformance.Options
	format  string
}

func (a *app) conformance() *cobra.Command {
	var f conformanceFlags
	names, promises := conformance.Names()
	var list strings.Builder
	for i, name := range names {
		fmt.Fprintf(&list, "  %-18s %s\n", name, promises[i])
	}
	cmd := &cobra.Command{
		Use:   "conformance [flags] -- COMMAND [ARGUMENT…]",
		Short: "Test a client of the gRPC service, in any language",
		Long:  fmt.Sprintf(conformanceHelp, list.String()),
		Example: `  stripe-connector conformance -- ./my-client
  stripe-connector conformance --only kill,resume --verbose -- python3 client.py`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range f.options.Only {
				if !slices.Contains(names, name) {
					return usageError{fmt.Errorf("--only must be names of scenarios, got %q: --help lists them", name), cmd.CommandPath()}
				}
			}
			if a.verbose {
				f.options.Output = a.stderr
			}
			f.options.Observe = func(r conformance.Result) {
				a.inform("%s: %s after %s", r.Scenario, verdict(r), r.Took.Round(time.Millisecond))
			}
			if len(f.options.Only) == 0 {
				f.options.Only = names
			}
			results, err := conformance.Run(cmd.Context(), conformance.Command(args[0], args[1:]...), f.options)
			if err != nil {
				return err
			}
			if skipped := len(f.options.Only) - len(results); skipped > 0 {
				a.inform("%s not run, because the client would fail there, too.", countWas(skipped, "other scenario"))
			}
			return a.certify(results, f.format)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // flags after the command are the command's
	flags.StringSliceVar(&f.options.Only, "only", nil, "`names` of the scenarios to run (default: all)")
	flags.DurationVar(&f.options.Timeout, "timeout", time.Minute, "`time` that one run of the command may take")
	formatFlag(cmd, &f.format, "table", "json")
	return cmd
}

// verdict returns the result of a scenario in one word.
func verdict(r conformance.Result) string {
	if r.Passed() {
		return "passed"
	}
	return "FAILED"
}

// shownLines is the number of lines of a client's output to print.
const shownLines = 10

// certify prints the results. It returns an error if a scenario failed.
func (a *app) certify(results []conformance.Result, format string) error {
	var failed []string
	table, details := [][]string{{"SCENARIO", "RESULT"}}, ""
	list := []map[string]any{}
	for _, r := range results {
		table = append(table, []string{r.Scenario, verdict(r)})
		object := map[string]any{"scenario": r.Scenario, "passed": r.Passed()}
		if !r.Passed() {
			failed = append(failed, r.Scenario)
			object["error"], object["output"] = r.Err.Error(), r.Output
			details += fmt.Sprintf("\n%s: %s.\n  A client must %s.\n", r.Scenario, r.Err, r.Promise)
			lines := strings.Split(r.Output, "\n")
			for _, line := range lines[max(len(lines)-shownLines, 0):] {
				if line != "" {
					details += "  | " + line + "\n"
				}
			}
		}
		list = append(list, object)
	}
	var err error
	if format == "json" {
		err = a.printJSON(map[string]any{"scenarios": list})
	} else {
		_, err = fmt.Fprint(a.stdout, printable(align(table, 2)+fold(details)))
	}
	if len(failed) > 0 {
		why := fmt.Errorf("the client failed in %s", someOf(failed, len(failed)))
		a.complain("%s", why)
		err = errors.Join(err, failedError{why})
	}
	return err
}
