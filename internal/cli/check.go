package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

func (a *app) check() *cobra.Command {
	var c call
	var streams []string
	var to string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report whether a configuration or a destination works",
		Long: `Reports as JSON whether a configuration works, and which streams its key may read. If it doesn't work, the exit code
is 1, and stderr says what to fix.

With --to, tests a destination instead, without changing anything in it: whether the role has every privilege that a sync
needs, with the statements that grant the missing ones, and how a pooler, the role's settings and existing tables affect a sync.`,
		Example: `  STRIPE_API_KEY=rk_live_… stripe-connector check
  stripe-connector check --config config.json --streams charges,invoices
  stripe-connector check --config config.json --to 'postgres://me@db.example.com/warehouse?schema=stripe'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != "" {
				return a.checkDestination(cmd.Context(), &c, to, streams)
			}
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
	cmd.Flags().StringVar(&to, "to", "", "test this `destination` instead, such as "+a.examples())
	a.completeStreams(cmd, "streams")
	return cmd
}

// checkDestination tests a destination and prints the findings. names are the streams that a sync would load; empty means
// all. If they can't be discovered, for example without a configuration, their tables are not checked.
func (a *app) checkDestination(ctx context.Context, c *call, to string, names []string) error {
	config, err := c.config(ctx, a)
	if err != nil {
		if c.configPath != "" || c.keyPath != "" {
			return err
		}
		config = &structpb.Struct{}
	}
	var streams []*connectorv1.Stream
	if err := c.connected(a, ctx, config, func(service *client.Client) error {
		resp, err := service.Discover(ctx, &connectorv1.DiscoverRequest{Config: config})
		streams = resp.GetStreams()
		return err
	}); err != nil {
		writeLine(a.stdout, "note     streams: unknown, so their tables were not checked: %s", err)
	}
	if len(names) > 0 {
		streams = slices.DeleteFunc(streams, func(s *connectorv1.Stream) bool { return !slices.Contains(names, s.GetName()) })
	}
	findings, err := a.build.Destinations.Check(ctx, to, streams)
	if err != nil {
		return a.explainMissing(err)
	}
	failed := false
	for _, f := range findings {
		failed = failed || f.Verdict == client.FindingProblem
		line := f.Subject
		if f.Message != "" {
			line += ": " + f.Message
		}
		writeLine(a.stdout, "%-8s %s", f.Verdict, line)
		for _, remedy := range f.Remedy {
			writeLine(a.stdout, "         %s;", strings.TrimSuffix(remedy, ";"))
		}
	}
	if failed {
		return failedError{errors.New("a sync into this destination would fail")}
	}
	return nil
}

// verdict returns nil if the configuration works. Otherwise it prints the problems and returns an error.
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
