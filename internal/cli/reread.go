package cli

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
)

const rereadHelp = `Reads streams again from the beginning, whatever states and rows the destination holds, and loads them as sync does. The
rows stay while they are read: each is replaced, and those that Stripe has no more are removed or marked at the end. If it
is interrupted, the next sync resumes the re-read.

Give the same --fields as your syncs do.`

func (a *app) reread() *cobra.Command {
	var c call
	var fields []string
	var to string
	cmd := &cobra.Command{
		Use:   "reread STREAM...",
		Short: "Read streams again from the beginning into a destination",
		Long:  rereadHelp + a.note(),
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
		"the fields to sync of a stream, as `stream=field,field`; keys always come (repeatable; default: all)")
	_ = cmd.MarkFlagRequired("to") // fails only if the flag doesn't exist
	return cmd
}
