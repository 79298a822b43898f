package cli

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const readHelp = `Reads streams and prints each message of the Read as one line of JSON when it arrives. It does not resume by itself; sync
does that.

--catalog accepts the output of discover, or a list of {"stream": …, "sync_mode": …, "fields": […]}, alone or as the
"streams" of an object.

--state accepts a list of states {"stream": …, "content": {…}}, alone or as the "states" of an object; a single state; or the
output of an earlier read, of which it uses the last state of each stream. States of streams that are not read are ignored.`

func (a *app) read() *cobra.Command {
	var c call
	var o readOptions
	cmd := &cobra.Command{
		Use:   "read",
		Short: "Print the records of streams, one JSON message per line",
		Long:  readHelp,
		Example: `  stripe-connector read --config config.json --streams charges,invoices
  stripe-connector read --config config.json --catalog catalog.json --state state.json
  stripe-connector read --config config.json --streams charges --sync-mode incremental > out.jsonl
  stripe-connector read --config config.json --streams charges --sync-mode incremental --state out.jsonl   # what changed since
  stripe-connector read --config config.json --streams charges --follow --state out.jsonl
  stripe-connector read --config config.json --streams charges --reconcile --state out.jsonl
  stripe-connector read --config config.json --streams charges | jq -c '.records.records[]?.data | fromjson'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (o.follow || o.reconcile) && !cmd.Flags().Changed("sync-mode") {
				o.mode = "incremental"
			}
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				req, err := o.request(a, config)
				if err != nil {
					return err
				}
				_, err = service.ReadOnce(cmd.Context(), req,
					func(m *connectorv1.ReadResponse) error { return printLine(a.stdout, m) })
				return err
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.streams, "streams", nil, "`names` of the streams to read, separated by commas")
	flags.StringVar(&o.catalogPath, "catalog", "", "JSON `file` with the streams to read, or - for stdin")
	flags.StringVar(&o.statePath, "state", "", "JSON `file` with the states to resume from, or - for stdin")
	flags.StringVar(&o.mode, "sync-mode", "full_refresh", "full_refresh or incremental, for streams whose mode the catalog does not set")
	flags.BoolVar(&o.follow, "follow", false, "do not end, but keep reading changes; streams are read incrementally")
	flags.DurationVar(&o.interval, "follow-interval", 0, "with --follow: `time` between checks for changes (default 5s)")
	flags.BoolVar(&o.reconcile, "reconcile", false, "re-list the last 29 days of the streams, send what events missed, and count it in the summary")
	flags.StringVar(&o.format, "format", "json", "format of the records' data: json (a string), or struct (nested, slow)")
	cmd.MarkFlagsMutuallyExclusive("streams", "catalog")
	cmd.MarkFlagsOneRequired("streams", "catalog")
	a.completeStreams(cmd, "streams")
	return cmd
}
