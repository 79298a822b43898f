package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/client/runlog"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const runHelp = `Runs the pipelines in a file (default: pipelines.yaml), each on its schedule, until SIGTERM or SIGINT. Running syncs then stop
at their last state, and the next start resumes them. A pipeline is run by only one process at a time, even if several are
started. A failed run is retried with increasing waits, and reported on stderr and in the run log.

With --check, nothing is run: the file and everything that it refers to are checked, and the streams and next runs are
printed. For the format of the file, see --schema and docs/pipelines.md.

Exit codes: 0 ended as requested, 1 a pipeline failed (--once) or the file is invalid, 2 invalid command line.`

func (a *app) runPipelines() *cobra.Command {
	var c call
	var once, check, schema, reconcile bool
	var only []string
	cmd := &cobra.Command{
		Use:   "run [FILE]",
		Short: "Run the pipelines in a file on their schedules",
		Long:  runHelp,
		Example: `  stripe-connector run pipelines.yaml
  stripe-connector run --check
  stripe-connector run --once --pipeline acme
  stripe-connector run --target 127.0.0.1:50051 pipelines.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if schema {
				_, err := a.stdout.Write(pipeline.Schema())
				return err
			}
			file, err := a.readPipelines(fileArgument(args, 0))
			if err != nil {
				return err
			}
			if err := file.Only(only); err != nil {
				return err
			}
			for i := range file.Pipelines {
				file.Pipelines[i].Selection = withoutCostly(file.Pipelines[i].Selection)
			}
			return a.withService(cmd.Context(), &c, file, func(service *client.Client) error {
				if check {
					return a.checkPipelines(cmd.Context(), service, file)
				}
				return a.follow(cmd.Context(), service, file, once, reconcile)
			})
		},
	}
	c.addTarget(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&once, "once", false, "run each pipeline once, now, and exit")
	flags.BoolVar(&reconcile, "reconcile", false, "compare with Stripe at the end of each run, and repair what events missed")
	flags.BoolVar(&check, "check", false, "check the file without running anything")
	flags.BoolVar(&schema, "schema", false, "print the JSON Schema of pipeline files")
	flags.StringSliceVar(&only, "pipeline", nil, "`names` of the pipelines to run, separated by commas (default: all)")
	cmd.MarkFlagsMutuallyExclusive("once", "check", "schema")
	return cmd
}

// withService calls do with a client of the service at --target. Without --target, it runs a service in this process, which
// may call any api_base that the pipeline file names.
func (a *app) withService(ctx context.Context, c *call, file *pipeline.File, do func(*client.Client) error) error {
	if c.target != "" {
		return c.connected(a, ctx, nil, do)
	}
	var bases []string
	for _, p := range file.Pipelines {
		if resolved, err := p.Resolve(ctx, a.getenv); err == nil { // otherwise, the pipeline's run reports the error
			bases = append(bases, apiBase(resolved.Config)...)
		}
	}
	return a.inProcess(ctx, bases, do)
}

// follow runs the pipelines on their schedules until ctx is done or, with once, each of them once.
func (a *app) follow(ctx context.Context, service *client.Client, file *pipeline.File, once, reconcile bool) (err error) {
	log, err := runlog.Open(ctx, file.RunLog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	shown := newRunDisplay(a)
	runner := pipeline.Runner{File: file, Service: service, Log: log, Destinations: a.build.Destinations, Getenv: a.getenv,
		Reconcile: reconcile, Observe: shown.observe, Notify: shown.notify}
	if !once {
		a.inform("Running %s until SIGTERM or Ctrl-C. The run log is %s.", count(len(file.Pipelines), "pipeline"), file.RunLog)
		return runner.Run(ctx)
	}
	begun := time.Now().Truncate(time.Millisecond) // the run log's precision
	err = runner.Once(ctx)
	runs, read := log.Runs(context.WithoutCancel(ctx), runlog.Filter{Since: begun})
	if read != nil {
		return errors.Join(err, read)
	}
	_, printed := fmt.Fprint(a.stdout, printable(runsTable(runs, time.Now())))
	return errors.Join(err, printed)
}

// checkPipelines checks everything that can be checked without reading records, and prints one line per pipeline.
func (a *app) checkPipelines(ctx context.Context, service *client.Client, file *pipeline.File) error {
	failed := 0
	tables := map[string]string{} // pipeline names, by destination
	for _, p := range file.Pipelines {
		line, err := a.checkPipeline(ctx, service, file, p, tables)
		if err != nil {
			failed++
			a.complain("%s line %d: pipeline %s is invalid:", file.Path, p.Line, p.Name)
			a.explain(ctx, err)
			continue
		}
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	if failed > 0 {
		return failedError{fmt.Errorf("%d pipelines are invalid", failed)}
	}
	return nil
}

// checkPipeline checks a pipeline, including its key and its destination. It returns a line with the number of its
// streams, its schedule, and its next run. tables maps each destination to its pipeline, since two pipelines must not
// share one.
func (a *app) checkPipeline(ctx context.Context, service *client.Client, file *pipeline.File, p pipeline.Pipeline, tables map[string]string) (string, error) {
	resolved, err := p.Resolve(ctx, a.getenv)
	if err != nil {
		return "", err
	}
	kinds := a.build.Destinations
	to := kinds.Resolve(filepath.Dir(file.Path), resolved.Destination)
	if err := kinds.Validate(to); err != nil {
		return "", a.explainMissing(err)
	}
	if other, taken := tables[to]; taken {
		return "", fmt.Errorf("it writes to the same tables as pipeline %s: give each pipeline its own destination or schema", other)
	}
	tables[to] = p.Name
	check, err := service.Check(ctx, &connectorv1.CheckRequest{Config: resolved.Config})
	if err != nil {
		return "", err
	}
	if err := a.verdict(check); err != nil {
		return "", err
	}
	catalog, err := service.Discover(ctx, &connectorv1.DiscoverRequest{Config: resolved.Config})
	if err != nil {
		return "", err
	}
	selected, err := p.Selection.Streams(catalog.GetStreams())
	if err != nil {
		return "", err
	}
	findings, err := kinds.Check(ctx, to, selected)
	if err != nil {
		return "", err
	}
	var problems []error
	for _, f := range findings {
		if f.Verdict == client.FindingProblem {
			problems = append(problems, fmt.Errorf("destination: %s: %s", f.Subject, f.Message))
		}
	}
	if len(problems) > 0 {
		return "", errors.Join(problems...)
	}
	line := fmt.Sprintf("%s: %s, %s", p.Name, count(len(selected), "stream"), p.Schedule)
	if !p.Schedule.Follows() {
		line += ", next at " + p.Schedule.First(time.Time{}, time.Now()).UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return line, nil
}

// count formats a number of things, such as "1 stream" or "2 streams".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", humanize.Comma(int64(n)), thing)
}
