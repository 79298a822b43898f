package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
)

const resetHelp = `Forgets how far streams were read, so that the next sync or pipeline run re-reads them from the beginning. Nothing is read
now, and existing rows stay until they are replaced. To re-read immediately, use reread.`

func (a *app) reset() *cobra.Command {
	var c call
	var to string
	cmd := &cobra.Command{
		Use:   "reset STREAM...",
		Short: "Make the next sync re-read streams from the beginning",
		Long:  resetHelp + a.buildNote(),
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector reset charges --to sqlite:stripe.db
  stripe-connector reset '*' --config config.json --to jsonl:lines`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				d, err := a.build.Destinations.Open(cmd.Context(), to)
				if err != nil {
					return a.explainMissing(err)
				}
				n, err := service.Forget(cmd.Context(), client.SyncOptions{Config: config, Destination: d, Selection: client.Selection{Select: args}})
				if err := errors.Join(err, d.Close()); err != nil {
					return err
				}
				writeLine(a.stdout, "The next sync will re-read %s from the beginning.", count(n, "stream"))
				return nil
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	a.destinationFlag(cmd, &to)
	_ = cmd.MarkFlagRequired("to") // fails only if the flag doesn't exist
	return cmd
}
