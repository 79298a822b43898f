package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// completeStreams adds shell completion of stream names to flags, including after a comma.
func (a *app) completeStreams(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		// Registration fails only if the flag doesn't exist or is registered twice.
		_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			done, begun := "", typed
			if i := strings.LastIndexByte(typed, ','); i >= 0 && flag != "fields" {
				done, begun = typed[:i+1], typed[i+1:]
			}
			end := ""
			if flag == "fields" {
				end = "="
			}
			return streamsLike(begun, done, end), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		})
	}
}

// completeArguments completes stream names as arguments.
func completeArguments(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return streamsLike(typed, "", ""), cobra.ShellCompDirectiveNoFileComp
}

// streamsLike returns the names of the streams that start with begun, each enclosed by before and after.
func streamsLike(begun, before, after string) []string {
	var names []string
	for _, name := range table.Names() {
		if strings.HasPrefix(name, begun) {
			names = append(names, before+name+after)
		}
	}
	return names
}
