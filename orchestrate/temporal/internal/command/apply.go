package command

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
)

const applyHelp = `Makes the schedules in Temporal equal to those of a pipeline file (default: pipelines.yaml): one for each pipeline, which runs
at the same times as with stripe-connector run. Schedules are created, updated, paused, resumed and deleted. What is equal
already stays as it is, so applying twice does nothing.

Each schedule belongs to a set, which is named after the file. Only schedules of the same set are changed or deleted, and
never those that someone else created. Files with the same name that are applied to the same namespace need different sets.

A schedule that was paused by hand stays paused, and one that a worker paused after a failure of class AUTH or CONFIG until the
pipeline changes in the file. --resume resumes both. A pause that begins while the file is being applied stays.

The search attributes StripeConnectorPipeline and StripeConnectorStatus, by which workflows can be found, are registered if they
aren't yet. If that isn't allowed, a warning contains the commands to register them.

Calls are retried while Temporal is busy or restarts, and for at most two minutes if it doesn't answer at all. After an
interruption, apply the file again.

For cron expressions with a time zone, the runs around clock changes are listed for the current year and three more. Apply
the file at least once a year to renew them.`

// applying holds the flags of plan and apply.
type applying struct {
	options apply.Options
	format  string
}

func (c *connection) plan() *cobra.Command {
	var a applying
	var detailed bool
	cmd := &cobra.Command{
		Use: "plan [FILE]", Short: "Print what apply would change", Args: cobra.MaximumNArgs(1),
		Long: `Prints how the schedules in Temporal differ from those of a pipeline file (default: pipelines.yaml), and changes nothing: what
apply would create (+), update (~), with the old and the new value of each field, and delete (-).

Exit codes: 0 success, 1 failure, 2 invalid command line. With --detailed-exitcode: 0 no differences, 1 failure or invalid
command line, 2 differences. Search attributes that aren't registered are no difference.`,
		Example: `  stripe-connector-temporal plan
  stripe-connector-temporal plan --detailed-exitcode --format json pipelines.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, c, args, func(_ client.Client, plan *apply.Plan) error {
				if detailed && len(plan.Changes) > 0 {
					return errDifferences
				}
				return nil
			})
		},
	}
	a.addFlags(cmd)
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with code 2 if there are differences")
	return cmd
}

func (c *connection) apply() *cobra.Command {
	var a applying
	cmd := &cobra.Command{
		Use: "apply [FILE]", Short: "Create, update and delete the schedules of a pipeline file", Args: cobra.MaximumNArgs(1),
		Long: applyHelp,
		Example: `  stripe-connector-temporal apply pipelines.yaml
  stripe-connector-temporal apply --set billing --catch-up 6h --jitter 2m pipelines.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, c, args, func(t client.Client, plan *apply.Plan) error {
				return applyPlan(cmd.Context(), t, plan, cmd.ErrOrStderr())
			})
		},
	}
	a.addFlags(cmd)
	return cmd
}

func (a *applying) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&a.options.Set, "set", "", "`name` of the set of schedules (default: the file's name without its extension)")
	flags.DurationVar(&a.options.CatchUp, "catch-up", time.Hour, "how late a run may start if Temporal was down when it was due; at least 10s")
	flags.DurationVar(&a.options.Jitter, "jitter", 0, "maximum of a random `time` by which each run starts later")
	flags.BoolVar(&a.options.Resume, "resume", false, "resume schedules that were paused by hand or by a worker")
	flags.BoolVar(&a.options.DeleteAll, "delete-all", false, "allow deleting all existing schedules of the set")
	flags.StringVar(&a.format, "format", "text", "text or json")
}

// run makes a plan, prints it, and calls do with it.
func (a *applying) run(cmd *cobra.Command, c *connection, args []string, do func(client.Client, *apply.Plan) error) error {
	path := fileArgument(args)
	switch {
	case a.format != "text" && a.format != "json":
		return usageError{fmt.Errorf("--format must be text or json, got %q", a.format)}
	case a.options.CatchUp < 10*time.Second: // Temporal would replace it
		return usageError{fmt.Errorf("--catch-up must be at least 10s, got %s", a.options.CatchUp)}
	case a.options.Jitter < 0:
		return usageError{fmt.Errorf("--jitter must not be negative, got %s", a.options.Jitter)}
	}
	file, err := ReadFile(path)
	if err != nil {
		return err
	}
	a.options.File, a.options.TaskQueue, a.options.Now = file, c.taskQueue, time.Now()
	if a.options.Set == "" {
		a.options.Set = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	a.options.Report = func(p apply.Progress) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), p) }
	return c.with(cmd, quiet, func(t client.Client) error {
		a.options.Namespace = c.namespace
		plan, err := apply.Make(cmd.Context(), t, a.options)
		if err != nil {
			return err
		}
		write := plan.Print
		if a.format == "json" {
			write = plan.PrintJSON
		}
		if err := write(cmd.OutOrStdout()); err != nil {
			return err
		}
		return do(t, plan)
	})
}

// fileArgument returns the pipeline file that arguments name, or the default.
func fileArgument(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "pipelines.yaml"
}

// applyPlan applies a plan and reports each change on w.
func applyPlan(ctx context.Context, t client.Client, plan *apply.Plan, w io.Writer) error {
	if err := plan.Register(ctx, t); err != nil {
		_, _ = fmt.Fprintln(w, "warning:", err)
	} else if len(plan.Attributes) > 0 {
		_, _ = fmt.Fprintf(w, "Registered the search attributes %s.\n", strings.Join(plan.Attributes, ", "))
	}
	var mutex sync.Mutex
	counts := map[apply.Action]int{}
	err := plan.Apply(ctx, t, func(c apply.Change) {
		mutex.Lock()
		defer mutex.Unlock()
		counts[c.Action]++
	})
	if len(plan.Changes) > 0 {
		_, _ = fmt.Fprintf(w, "Applied: %d created, %d updated, %d deleted.\n", counts[apply.Create], counts[apply.Update], counts[apply.Delete])
	}
	return err
}
