package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) destinations() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "destinations",
		Short: "List the destinations that this build supports",
		Long:  "Lists the kinds of destinations that this build supports, with an example of each for --to.",
		Example: `  stripe-connector destinations
  stripe-connector destinations --format json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format == "json" {
				kinds := make([]map[string]string, len(a.build.Destinations))
				for i, kind := range a.build.Destinations {
					kinds[i] = map[string]string{"kind": kind.Name, "example": kind.Example, "summary": kind.Summary}
				}
				return a.printJSON(kinds)
			}
			rows := [][]string{{"KIND", "EXAMPLE", "DESCRIPTION"}}
			for _, kind := range a.build.Destinations {
				rows = append(rows, []string{kind.Name, kind.Example, kind.Summary})
			}
			_, err := fmt.Fprint(a.stdout, align(rows, 3))
			return err
		},
	}
	formatFlag(cmd, &format, "table", "json")
	return cmd
}

// destinationList returns the kinds of destinations, formatted for help texts.
func (a *app) destinationList() string {
	var rows [][]string
	for _, kind := range a.build.Destinations {
		rows = append(rows, []string{"  " + kind.Example, kind.Summary})
	}
	return align(rows, 2)
}

// destinationFlag adds the flag --to.
func (a *app) destinationFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "to", "", "the `destination`: "+a.examples())
}

// examples returns an example of each kind of destination, joined with "or".
func (a *app) examples() string { return strings.Join(a.build.Destinations.Examples(), " or ") }
