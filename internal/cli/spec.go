package cli

import (
	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client"
)

func (a *app) spec() *cobra.Command {
	var c call
	cmd := &cobra.Command{
		Use:   "spec",
		Short: "Print the configuration that the connector accepts",
		Long:  "Prints the connector's specification as JSON, with a JSON Schema of the configuration.",
		Example: `  stripe-connector spec
  stripe-connector spec --target 127.0.0.1:50051`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.connected(a, cmd.Context(), nil, func(service *client.Client) error {
				resp, err := service.Spec(cmd.Context())
				if err != nil {
					return err
				}
				return printLines(a.stdout, resp)
			})
		},
	}
	c.addTarget(cmd)
	return cmd
}
