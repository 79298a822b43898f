package cli

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
)

const rereadHelp = `Re-reads streams from the beginning, whatever states and rows the destination has, and loads them like sync. Existing rows
stay until they are replaced; rows that Stripe no longer has are removed or marked at the end. If it is interrupted, the next
sync resumes the re-read.

Pass the same --fields as for your syncs.`

func (a *app) reread() *cobra.Command {
	var c call
	var fields []string
	var to string
	cmd := &cobra.Command{
		Use:   "reread STREAM...",
		Short: "Re-read streams from the beginning into a destination",
		Long:  rereadHelp + a.buildNote(),
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector reread charges --to sqlite:stripe.db
  stripe-connector reread 'invoice*' --config config.json --to 'postgres://me@db.example.com/warehouse?schema=stripe'`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			selected, err := client.ParseFields(fields)
			if err != nil {
				return usageError{err, cmd.CommandPath()}
			}
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				return a.syncTo(cmd.Context(), service, to, "table", client.SyncOptions{
					Config: config, Selection: client.Selection{Select: args, Fields: selected}, Reread: true})
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	a.destinationFlag(cmd, &to)
	cmd.Flags().StringArrayVar(&fields, "fields", nil,
		"the fields of a stream to sync, as `stream=field,field`; keys are always included (repeatable; default: all)")
	_ = cmd.MarkFlagRequired("to") // fails only if the flag doesn't exist
	return cmd
}
