package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

const verifyHelp = `Compares the tables of a database with Stripe, stream by stream: the newest 1,000 objects of each, or --sample of them, or
--all. Where all objects of a stream were compared, so are the row counts.

Streams that differ may have changed since the last sync, so they are synced and compared again: only what differs both times is
reported. Pass the same --select and --fields as in your syncs. To repair what is reported: stripe-connector reread STREAM.

The exit code is 1 if anything differs or could not be compared.`

// shownKeys is the number of primary keys that verify prints for each stream.
const shownKeys = 5

func (a *app) verify() *cobra.Command {
	var c call
	var fields []string
	var to, format string
	var all bool
	opts := client.VerifyOptions{Sample: 1000}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare a synced database with Stripe",
		Long:  verifyHelp + a.buildNote(),
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector verify --to sqlite:stripe.db
  stripe-connector verify --config config.json --to sqlite:stripe.db --select 'charges,invoice*' --all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if opts.Sync.Selection.Fields, err = client.ParseFields(fields); err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			if opts.Sample < 1 {
				return usageError{fmt.Errorf("--sample must be at least 1, got %d: to compare everything, use --all", opts.Sample), cmd.CommandPath()}
			}
			if all {
				opts.Sample = 0
			}
			opts.Sync.Selection = withoutCostly(opts.Sync.Selection)
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				opts.Sync.Config = config
				return a.verifyIn(cmd.Context(), service, to, format, opts)
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	a.destinationFlag(cmd, &to)
	flags := cmd.Flags()
	flags.StringSliceVar(&opts.Sync.Selection.Select, "select", nil, "`names` of the streams to compare, as for sync (default: as for sync)")
	flags.StringSliceVar(&opts.Sync.Selection.Exclude, "exclude", nil, "`names` of streams to exclude, in the same form")
	flags.StringArrayVar(&fields, "fields", nil, "the fields synced for a stream, as `stream=field,field` (repeatable; default: all)")
	flags.Int64Var(&opts.Sample, "sample", opts.Sample, "number of `objects` of each stream to compare, the newest first")
	flags.DurationVar(&opts.Settle, "settle", 5*time.Second, "`time` to wait before streams that differ are synced and compared again")
	flags.BoolVar(&all, "all", false, "compare all objects")
	formatFlag(cmd, &format, "table", "json")
	cmd.MarkFlagsMutuallyExclusive("sample", "all")
	_ = cmd.MarkFlagRequired("to") // fails only if the flag doesn't exist
	a.completeStreams(cmd, "select", "exclude", "fields")
	return cmd
}

// verifyIn compares the destination named to with Stripe, and prints the result.
func (a *app) verifyIn(ctx context.Context, service *client.Client, to, format string, opts client.VerifyOptions) (err error) {
	d, err := a.build.Destinations.Open(ctx, to)
	if err != nil {
		return a.explainMissing(err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	opts.Sync.Destination = d
	opts.Observe = func(v client.Verification) {
		if a.verbose {
			writeLine(a.stderr, "%s: compared %s", v.Stream, count(int(v.Objects), "object"))
		}
	}
	all, err := service.Verify(ctx, opts)
	if err != nil {
		return err
	}
	if format == "json" {
		err = a.printJSON(verificationJSON(all))
	} else {
		_, err = fmt.Fprint(a.stdout, printable(verificationTable(all)))
	}
	if wrong := slices.DeleteFunc(slices.Clone(all), agrees); len(wrong) > 0 {
		names := make([]string, len(wrong))
		for i, v := range wrong {
			names[i] = v.Stream
		}
		wrong := fmt.Errorf("these streams differ from Stripe, or could not be compared: %s", someOf(names, 10))
		a.complain("%s", wrong)
		err = errors.Join(err, failedError{wrong})
	}
	return err
}

// agrees reports whether a stream agrees with Stripe. It accepts rows of objects that Stripe has deleted because of their age.
func agrees(v client.Verification) bool {
	if row := table.Known().Find(v.Stream); row != nil && row.RetentionDays > 0 && v.Rows > v.Objects {
		v.Complete = false
	}
	return !v.Synced || v.Agrees()
}

// verificationTable formats the result of verify: a line for each stream, or only for those that differ if there are many, and the
// keys of the rows that differ.
func verificationTable(all []client.Verification) string {
	rows := [][]string{{"STREAM", "ROWS", "COMPARED", "MISSING", "DIFFERENT"}}
	var notes notes
	var fine, unsynced int
	for _, v := range all {
		switch {
		case !v.Synced:
			unsynced++
			continue
		case agrees(v):
			fine++
		}
		if len(all) <= fewStreams || !agrees(v) {
			compared := humanize.Comma(v.Objects)
			if v.Complete {
				compared = "all " + compared
			}
			rows = append(rows, []string{v.Stream, humanize.Comma(v.Rows), compared, humanize.Comma(int64(len(v.Missing))), humanize.Comma(int64(len(v.Different)))})
		}
		switch extra := v.Rows - v.Objects; {
		case v.Failure != nil:
			notes.note(v.Stream, v.Failure.GetMessage()+"\n")
		case len(v.Missing)+len(v.Different) > 0:
			text := ""
			if len(v.Missing) > 0 {
				text += "missing " + someOf(v.Missing, shownKeys)
			}
			if len(v.Different) > 0 {
				text += prefixed(text, "different ") + someOf(v.Different, shownKeys)
			}
			notes.note(v.Stream, text+".\n")
		case !agrees(v) && extra > 0:
			notes.note(v.Stream, count(int(extra), "row")+" more than Stripe has objects.\n")
		}
	}
	text := ""
	if len(rows) > 1 {
		text = align(rows, 1) + "\n"
	}
	verb := "agree"
	if fine == 1 {
		verb = "agrees"
	}
	text += fmt.Sprintf("%d of %s %s with Stripe.\n", fine, count(len(all)-unsynced, "stream"), verb)
	if unsynced > 0 {
		text += countWas(unsynced, "stream") + " never synced.\n"
	}
	return text + fold(notes.String())
}

func prefixed(before, text string) string {
	if before == "" {
		return text
	}
	return ", " + text
}

// verificationJSON returns the result of verify in the form printed as JSON.
func verificationJSON(all []client.Verification) any {
	type stream struct {
		Stream    string   `json:"stream"`
		Synced    bool     `json:"synced"`
		Agrees    bool     `json:"agrees"`
		Error     string   `json:"error,omitempty"`
		Rows      int64    `json:"rows"`
		Objects   int64    `json:"objects"`
		Complete  bool     `json:"complete"`
		Missing   []string `json:"missing,omitempty"`
		Different []string `json:"different,omitempty"`
	}
	streams := make([]stream, len(all))
	for i, v := range all {
		streams[i] = stream{v.Stream, v.Synced, agrees(v), v.Failure.GetMessage(), v.Rows, v.Objects, v.Complete, v.Missing, v.Different}
	}
	return map[string]any{"streams": streams}
}
