package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
)

const syncHelp = `Reads streams into a destination, from the state that it keeps: the first time everything, later what is new. It may be
stopped at any moment and run again; no row is lost. Passing failures are waited out.

Destinations:
%s
PostgreSQL's password is taken from PGPASSWORD or ~/.pgpass. Options follow a question mark, with & between them:
  schema=NAME     PostgreSQL: the schema of the tables (default: public)
  deletes=soft    databases: mark the rows of objects that Stripe has no more (_deleted_at) instead of removing them
  mode=append     databases: keep every version of every object instead of the newest
  compress=zstd   jsonl: compress the files, with zstd or gzip
  rotate=64MB     jsonl: begin another file when one is so large

Progress is on stderr: bars if it is a terminal, lines if not. The report, a table with a line for each stream, is on
stdout. The exit code is 1 if a stream failed; streams that the key may not read are skipped and do not count as failed.

An object that Stripe cannot show is set aside: the report names it, the exit code is 0, and later syncs try it again.

A record that the destination refuses, because of a trigger or constraint of yours, say, is set aside: the report names it,
everything else is stored, the exit code is 0, and the next sync tries it again. If a table refuses more than 100 of the
records of a commit, the sync fails.

A stream is read again from the beginning, and a warning says so, if its table was dropped, emptied or changed by something
else, or if a field is selected that its rows lack. To have that on demand: stripe-connector reread.`

func (a *app) sync() *cobra.Command {
	var c call
	var selection client.Selection
	var fields []string
	var to string
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Read streams into a database or files, going on from the last time",
		Long:  fmt.Sprintf(syncHelp, a.destinationList()) + a.note(),
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector sync --to sqlite:stripe.db
  stripe-connector sync --config config.json --to sqlite:stripe.db --select 'charges,invoice*' --exclude invoice_items
  stripe-connector sync --config config.json --to sqlite:stripe.db --fields charges=id,amount,currency,customer
  stripe-connector sync --config config.json --to 'postgres://me@db.example.com/warehouse?schema=stripe&deletes=soft'
  stripe-connector sync --config config.json --to 'jsonl:lines?compress=zstd&rotate=64MB'
  stripe-connector sync --config config.json --to jsonl:lines --target 127.0.0.1:50051`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if selection.Fields, err = client.ParseFields(fields); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				return a.syncTo(cmd, service, to, client.SyncOptions{Config: config, Selection: selection})
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	a.destinationFlag(cmd, &to)
	cmd.Flags().StringSliceVar(&selection.Select, "select", nil,
		"`names` of the streams to sync, separated by commas; * stands for any letters (default: all)")
	cmd.Flags().StringSliceVar(&selection.Exclude, "exclude", nil, "`names` of streams to leave out, in the same form")
	cmd.Flags().StringArrayVar(&fields, "fields", nil,
		"the fields to sync of a stream, as `stream=field,field`; keys always come (repeatable; default: all)")
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "streams" { // as the other commands call it
			name = "select"
		}
		return pflag.NormalizedName(name)
	})
	_ = cmd.MarkFlagRequired("to") // fails only for a flag that is not there
	return cmd
}

// syncTo syncs into the destination of this name and prints the report.
func (a *app) syncTo(cmd *cobra.Command, service *client.Client, to string, opts client.SyncOptions) (err error) {
	d, err := a.build.Destinations.Open(cmd.Context(), to)
	if err != nil {
		return a.missing(err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	progress := a.progress()
	opts.Destination, opts.Observe = d, progress.observe
	report, err := service.Sync(cmd.Context(), opts)
	progress.end()
	if report.Reads == 0 {
		return err // nothing to report: it did not begin
	}
	if _, printed := fmt.Fprint(a.stdout, reportTable(report)); printed != nil {
		return errors.Join(err, printed)
	}
	return err
}
