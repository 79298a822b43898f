package cli

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func (a *app) discover() *cobra.Command {
	var c call
	var onlyAvailable, includeUnavailable, erd bool
	var names []string
	var diff string
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "Print the streams, with schemas, keys and relations",
		Long:  "Prints the catalog as JSON. All or part of it can be passed to read with --catalog.",
		Example: `  stripe-connector discover --config config.json > catalog.json
  stripe-connector discover --config config.json --only-available | jq -r '.streams[].name'
  stripe-connector discover --config config.json --diff catalog.json
  stripe-connector discover --config config.json --erd --streams customers,charges,invoices,invoice_line_items`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				resp, err := service.Discover(cmd.Context(), &connectorv1.DiscoverRequest{
					Config: config, OnlyAvailable: onlyAvailable || includeUnavailable, IncludeUnavailable: includeUnavailable,
				})
				if err != nil {
					return err
				}
				if diff != "" {
					return a.printDiff(diff, resp.Streams)
				}
				if erd {
					return printERD(a.stdout, resp.Streams, names)
				}
				return printLines(a.stdout, resp)
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	cmd.Flags().BoolVar(&onlyAvailable, "only-available", false, "check with Stripe, and omit streams that the key may not read")
	cmd.Flags().BoolVar(&includeUnavailable, "include-unavailable", false,
		"check with Stripe, and mark streams that the key may not read, with the reason")
	cmd.Flags().BoolVar(&erd, "erd", false, "print an entity relationship diagram in Mermaid syntax instead of JSON")
	cmd.Flags().StringSliceVar(&names, "streams", nil, "with --erd: `names` of the streams to draw, separated by commas (default: all)")
	cmd.Flags().StringVar(&diff, "diff", "", "print what changed since the catalog in this `file`, which an earlier discover wrote, instead of JSON")
	cmd.MarkFlagsMutuallyExclusive("erd", "diff")
	a.completeStreams(cmd, "streams")
	return cmd
}
