package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

const demoHelp = `Starts a simulated Stripe and the service in this process, syncs into a SQLite file, prints a report and three questions to
ask it in SQL with their answers, and ends. It needs no account and reaches no network.

Run it again, and it goes on from the state in the file. It leaves files alone that it did not make.`

func (a *app) demo() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a whole sync, from a simulated Stripe into a SQLite file",
		Long:  demoHelp,
		Example: `  stripe-connector demo
  stripe-connector demo --to sqlite:/tmp/demo.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, ok := strings.CutPrefix(to, "sqlite:")
			if !ok || path == "" {
				return usageError{fmt.Errorf("--to is %q: the demo writes to a SQLite file, such as sqlite:stripe.db", to),
					cmd.CommandPath()}
			}
			return a.demoTo(cmd, path)
		},
	}
	cmd.Flags().StringVar(&to, "to", "sqlite:stripe.db", "the `destination`, a SQLite file")
	return cmd
}

// demoTo runs the demo with the database in the file at path.
func (a *app) demoTo(cmd *cobra.Command, path string) error {
	ctx := cmd.Context()
	if err := claim(ctx, path); err != nil {
		return err
	}
	stripe := stripetest.NewServer(stripetest.Options{Accounts: -1, Scale: 5})
	defer stripe.Close()
	config := &structpb.Struct{}
	if err := protojson.Unmarshal([]byte(simulatedConfig(stripe.URL, "off")), config); err != nil {
		return err
	}
	tell(a.stderr, "Simulated Stripe at %s; syncing it into %s through the gRPC service.", stripe.URL, path)
	err := a.inProcess(ctx, apiBase(config), func(service *client.Client) error {
		return a.syncTo(cmd, service, "sqlite:"+path, client.SyncOptions{Config: config})
	})
	if err != nil {
		return err
	}
	return a.askAll(ctx, path)
}

// askAll prints the questions with their answers.
func (a *app) askAll(ctx context.Context, path string) error {
	for _, q := range questions() {
		answer, err := ask(ctx, path, q.sql)
		if err != nil {
			return fmt.Errorf("ask %s: %w", path, err)
		}
		if _, err := fmt.Fprintf(a.stdout, "\n%s\n\n%s\n\n%s", q.words, q.sql, answer); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.stdout, "\nAsk more with:  sqlite3 %s\n", path)
	return err
}
