package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const syncHelp = `Reads streams into a destination, starting from the states stored there: everything the first time, then only changes. It can
be interrupted at any time and run again without losing rows. Temporary failures are retried.

Destinations:
%s
PostgreSQL's password is read from PGPASSWORD or ~/.pgpass. Options follow a question mark and are separated by &:
  schema=NAME     PostgreSQL: the schema of the tables (default: public)
  deletes=soft    databases: mark the rows of objects that Stripe no longer has (_deleted_at) instead of removing them
  mode=append     databases: keep every version of every object instead of the newest
  compress=zstd   jsonl: compress the files, with zstd or gzip
  rotate=64MB     jsonl: start a new file when one reaches this size

Progress goes to stderr: as a display that is updated in place on a terminal, otherwise as a line from time to time. The report
goes to stdout. The exit code is 1 if a stream failed. Streams that the key may not read are skipped and don't count as failed.

Without --select, all streams are synced except those that take one request for each object of another stream, such as each
customer. --plan lists both, with their cost. To sync everything, use --select '*'.

With --follow, the sync doesn't end: until Ctrl-C, changes are stored within seconds. With --reconcile, streams are compared with
Stripe at the end, as far back as events reach, and anything that the events missed is repaired.

An object that Stripe can't return is set aside: the report names it, the exit code is 0, and later syncs retry it.

A record that the destination rejects, for example because of your own trigger or constraint, is set aside: the report names it,
everything else is stored, the exit code is 0, and the next sync retries it. If a table rejects more than 100 records of a
commit, the sync fails.

A stream is re-read from the beginning, with a warning, if its table was dropped, emptied or changed by something else, or if a
selected field is missing from its rows. To re-read a stream on demand, use stripe-connector reread.`

// syncFlags holds the flags of sync.
type syncFlags struct {
	call
	selection client.Selection
	fields    []string
	to        string
	format    string
	follow    bool
	interval  time.Duration
	reconcile bool
	plan      bool
}

func (a *app) sync() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Load streams into a database or files, resuming from the last sync",
		Long:  fmt.Sprintf(syncHelp, a.destinationList()) + a.buildNote(),
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector sync --to sqlite:stripe.db
  stripe-connector sync --config config.json --to sqlite:stripe.db --select 'charges,invoice*' --exclude invoice_items
  stripe-connector sync --config config.json --to sqlite:stripe.db --fields charges=id,amount,currency,customer
  stripe-connector sync --config config.json --to sqlite:stripe.db --follow
  stripe-connector sync --config config.json --plan
  stripe-connector sync --config config.json --to 'postgres://me@db.example.com/warehouse?schema=stripe&deletes=soft'
  stripe-connector sync --config config.json --to 'jsonl:lines?compress=zstd&rotate=64MB'
  stripe-connector sync --config config.json --to jsonl:lines --target 127.0.0.1:50051 --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if f.selection.Fields, err = client.ParseFields(f.fields); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if f.to == "" && !f.plan {
				return usageError{errors.New(`required flag(s) "to" not set`), cmd.CommandPath()}
			}
			f.selection = withoutCostly(f.selection)
			return f.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				if f.plan {
					return a.planOf(cmd.Context(), service, config, f.selection)
				}
				if len(f.selection.Select) == 0 {
					a.inform("Streams that take one request per customer or other object are skipped unless selected: see --plan.")
				}
				return a.syncTo(cmd.Context(), service, f.to, f.format, client.SyncOptions{Config: config, Selection: f.selection,
					Follow: f.follow, FollowInterval: f.interval, Reconcile: f.reconcile})
			})
		},
	}
	f.addTarget(cmd)
	f.addConfig(cmd)
	a.destinationFlag(cmd, &f.to)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.selection.Select, "select", nil,
		"`names` of the streams to sync, separated by commas; * matches any characters (default: all except costly ones, see --plan)")
	flags.StringSliceVar(&f.selection.Exclude, "exclude", nil, "`names` of streams to exclude, in the same form")
	flags.StringArrayVar(&f.fields, "fields", nil,
		"the fields of a stream to sync, as `stream=field,field`; keys are always included (repeatable; default: all)")
	flags.BoolVar(&f.follow, "follow", false, "do not end, but store changes as they happen, until Ctrl-C")
	flags.DurationVar(&f.interval, "follow-interval", 2*time.Second, "with --follow: `time` between checks for changes")
	flags.BoolVar(&f.reconcile, "reconcile", false, "compare with Stripe at the end, and repair what events missed")
	flags.BoolVar(&f.plan, "plan", false, "print the streams and the requests that they need, without syncing")
	formatFlag(cmd, &f.format, "table", "json")
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "streams" { // the flag's name in other commands
			name = "select"
		}
		return pflag.NormalizedName(name)
	})
	cmd.MarkFlagsMutuallyExclusive("follow", "reconcile")
	a.completeStreams(cmd, "select", "exclude", "fields")
	return cmd
}

// planOf prints the plan of a first sync of the selection.
func (a *app) planOf(ctx context.Context, service *client.Client, config *structpb.Struct, selection client.Selection) error {
	catalog, err := service.Discover(ctx, &connectorv1.DiscoverRequest{Config: config})
	if err != nil {
		return err
	}
	selected, err := selection.Streams(catalog.GetStreams())
	if err != nil {
		return err
	}
	return a.printPlan(config, catalog.GetStreams(), selected)
}

// syncTo syncs into the destination named to, and prints the report.
func (a *app) syncTo(ctx context.Context, service *client.Client, to, format string, opts client.SyncOptions) error {
	report, err := a.load(ctx, service, to, opts)
	if report == nil || report.Reads == 0 {
		return err // the sync didn't start, so there is nothing to report
	}
	if opts.Follow && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // Ctrl-C is how a sync that follows ends
	}
	var printed error
	if format == "json" {
		printed = a.printJSON(reportJSON(report))
	} else {
		_, printed = fmt.Fprint(a.stdout, printable(reportTable(report)))
	}
	return errors.Join(err, printed)
}

// load syncs into the destination named to, and shows the progress.
func (a *app) load(ctx context.Context, service *client.Client, to string, opts client.SyncOptions) (report *client.Report, err error) {
	d, err := a.build.Destinations.Open(ctx, to)
	if err != nil {
		return nil, a.explainMissing(err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	shown := a.progress(opts.Config)
	observe := opts.Observe
	opts.Destination = d
	opts.Observe = func(ctx context.Context, m *connectorv1.ReadResponse) {
		shown.observe(m)
		if observe != nil {
			observe(ctx, m)
		}
	}
	report, err = service.Sync(ctx, opts)
	shown.end()
	return report, err
}
