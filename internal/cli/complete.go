package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// completeStreams has the shell complete the names of streams in flags, also after a comma.
func (a *app) completeStreams(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		// It fails only for a flag that is not there, or twice for the same.
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

// completeArguments has the shell complete the names of streams as arguments.
func completeArguments(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return streamsLike(typed, "", ""), cobra.ShellCompDirectiveNoFileComp
}

// streamsLike returns the streams whose names begin so, each between two texts.
func streamsLike(begun, before, after string) []string {
	var names []string
	for _, s := range table.Streams() {
		if strings.HasPrefix(s.Name, begun) {
			names = append(names, before+s.Name+after)
		}
	}
	return names
}
