package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variable returns the name of the environment variable for a flag.
func variable(flag string) string {
	return "STRIPE_CONNECTOR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagsFromEnvironment sets each flag that is not on the command line from its environment variable, if that is set.
func (a *app) flagsFromEnvironment(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		value := a.getenv(variable(f.Name))
		if f.Changed || value == "" || f.Name == "help" {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", variable(f.Name), err))
		}
	})
	return errors.Join(errs...)
}
