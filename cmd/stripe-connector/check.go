package main

import (
	"errors"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func (a *app) check() *cobra.Command {
	var c call
	var streams []string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell whether a configuration works and what its key may read",
		Long: `Tells whether a configuration works, and which streams its key may read, as JSON. The exit code is 1 if it does
not work; what to mend is then on stderr as well.`,
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector check
  stripe-connector check --config config.json --streams charges,invoices`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), a, func(service *client.Client, config *structpb.Struct) error {
				resp, err := service.Check(cmd.Context(), &connectorv1.CheckRequest{Config: config, Streams: streams})
				if err != nil {
					return err
				}
				if err := printLines(a.stdout, resp); err != nil {
					return err
				}
				return a.verdict(resp)
			})
		},
	}
	c.addTarget(cmd)
	c.addConfig(cmd)
	cmd.Flags().StringSliceVar(&streams, "streams", nil, "`names` of the streams to probe (default: all)")
	return cmd
}

// verdict tells the problems of a configuration that does not work.
func (a *app) verdict(resp *connectorv1.CheckResponse) error {
	if resp.GetStatus() == connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED {
		return nil
	}
	for _, problem := range resp.GetProblems() {
		a.complain("%s", headline(problem))
		a.details(problem)
	}
	return failedError{errors.New("the configuration does not work")}
}
