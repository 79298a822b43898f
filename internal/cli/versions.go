package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

func (a *app) versions() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "versions [FROM TO]",
		Short: "List Stripe's API versions, or show what changes between two of them",
		Long: `Without arguments, lists the values of api_version. With two versions, shows which streams and fields a pipeline loses and gains if
its api_version changes from the first to the second. It sends no requests.`,
		Example: `  stripe-connector versions
  stripe-connector versions 2023-10-16 2026-08-26.dahlia --streams invoices,subscriptions`,
		Args: cobra.MatchAll(cobra.MaximumNArgs(2), func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return fmt.Errorf("got one version: pass both FROM and TO")
			}
			return nil
		}),
		RunE: func(_ *cobra.Command, args []string) error {
			text := versionList()
			if len(args) == 2 {
				var err error
				if text, err = changesBetween(args[0], args[1], names); err != nil {
					return err
				}
			}
			_, err := fmt.Fprint(a.stdout, text)
			return err
		},
	}
	cmd.Flags().StringSliceVar(&names, "streams", nil, "`names` of the streams to compare, separated by commas (default: all)")
	a.completeStreams(cmd, "streams")
	return cmd
}

// versionList lists the values of api_version.
func versionList() string {
	var b strings.Builder
	for _, version := range schema.Versions() {
		b.WriteString(version)
		if version == config.DefaultVersion {
			b.WriteString("  (default)")
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s  (the account's own default, if it is one of these)\n", config.VersionOfAccount)
	return b.String()
}

// changesBetween describes what changes between two API versions in the named streams, or in all.
func changesBetween(from, to string, names []string) (string, error) {
	for _, version := range []string{from, to} {
		if problem := config.VersionProblem(version); problem != "" {
			return "", fmt.Errorf("the version %s", problem)
		}
	}
	if len(names) == 0 {
		names = table.Names()
	}
	before, _ := schema.Of(from)
	after, _ := schema.Of(to)
	var b strings.Builder
	for _, name := range names {
		has := table.Editions(name)
		if len(has) == 0 {
			return "", fmt.Errorf("unknown stream %s.%s", hint.Quote(name), hint.Nearest(name, table.Names()))
		}
		is := func(e schema.Edition) bool {
			return slices.ContainsFunc(has, func(other schema.Edition) bool { return other.Version == e.Version })
		}
		switch {
		case is(before) && !is(after):
			fmt.Fprintf(&b, "%s: the stream is gone\n", name)
		case !is(before) && is(after):
			fmt.Fprintf(&b, "%s: the stream is new\n", name)
		default:
			describe(&b, name, table.Compare(name, before, after))
		}
	}
	if b.Len() == 0 {
		return fmt.Sprintf("Nothing changes from %s to %s.\n", from, to), nil
	}
	return b.String(), nil
}

// describe writes what changes in the fields of a stream, if anything.
func describe(b *strings.Builder, stream string, d table.Difference) {
	if d.IsEmpty() {
		return
	}
	fmt.Fprintf(b, "%s:\n", stream)
	for _, part := range []struct {
		name  string
		paths []string
	}{{"gone", d.Gone}, {"new", d.New}, {"type changed", d.Changed}} {
		if len(part.paths) > 0 {
			fmt.Fprintf(b, "  %s: %s\n", part.name, strings.Join(part.paths, ", "))
		}
	}
}
