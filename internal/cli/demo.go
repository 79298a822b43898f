package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest/business"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const demoHelp = `Simulates a small company on a simulated Stripe, syncs a year of its data into a SQLite file through the gRPC service,
compares the tables with the company's books, and prints three questions about the business with their SQL and answers. It
needs no account and no network.

With --live, it continues until Ctrl-C: customers subscribe, cancel and get refunds, and the rows appear as they arrive.

Each demo starts from the beginning and replaces the file of the previous one. It never touches other files.`

func (a *app) demo() *cobra.Command {
	var to string
	var live bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Demonstrate a sync of a simulated company into a SQLite file",
		Long:  demoHelp,
		Example: `  stripe-connector demo
  stripe-connector demo --live
  stripe-connector demo --to sqlite:/tmp/demo.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, ok := strings.CutPrefix(to, "sqlite:")
			if !ok || path == "" {
				return usageError{fmt.Errorf("--to must be a SQLite file such as sqlite:demo.db, got %q", to), cmd.CommandPath()}
			}
			return a.demoTo(cmd.Context(), path, live)
		},
	}
	cmd.Flags().StringVar(&to, "to", "sqlite:demo.db", "the `destination`, a SQLite file")
	cmd.Flags().BoolVar(&live, "live", false, "continue with changes, until Ctrl-C")
	return cmd
}

// demoTo runs the demo with the SQLite file at path.
func (a *app) demoTo(ctx context.Context, path string, live bool) error {
	if err := claim(ctx, path); err != nil {
		return err
	}
	company, err := business.New(business.Options{Seed: 1})
	if err != nil {
		return fmt.Errorf("simulate the company: %w", err)
	}
	defer company.Close()
	config, err := structpb.NewStruct(map[string]any{
		"api_key": "sk_test_simulated", "api_base": company.URL, "max_requests_per_second": 10_000, "start_date": company.Start().Format(time.DateOnly),
	})
	if err != nil {
		return err
	}
	a.inform("Quillpost is a fictional company that sells newsletter software. A year of its data is on a simulated Stripe at %s.\n"+
		"Syncing it into %s through the gRPC service:", company.URL, path)
	return a.inProcess(ctx, apiBase(config), func(service *client.Client) error {
		if err := a.syncTo(ctx, service, "sqlite:"+path, "table", client.SyncOptions{Config: config, Selection: withoutCostly(client.Selection{})}); err != nil {
			return err
		}
		if err := a.compareBooks(ctx, path, company); err != nil {
			return err
		}
		if err := a.askAll(ctx, path); err != nil {
			return err
		}
		if live {
			return a.liveDemo(ctx, service, config, company, path)
		}
		_, err := fmt.Fprintf(a.stdout, `
Next:
  sqlite3 %-59s # ask more
  stripe-connector demo --live                                        # watch changes arrive
  STRIPE_API_KEY=rk_… stripe-connector sync --to sqlite:stripe.db     # your own account
`, path)
		return err
	})
}

// comparedSums are figures, in cents, that are computed from the tables and compared with the simulated company's books.
var comparedSums = []struct {
	words, sql string
	books      func(business.Books) int64
}{
	{"Monthly recurring revenue", `SELECT sum(si.price ->> '$.unit_amount' * si.quantity)
FROM subscription_items si JOIN subscriptions s ON s.id = si.subscription
WHERE s.status IN ('active', 'past_due')`, func(b business.Books) int64 { return b.MRR }},
	{"Revenue, less refunds and disputes", `SELECT sum(amount) FROM balance_transactions
WHERE type IN ('charge', 'refund', 'adjustment')`, func(b business.Books) int64 { return b.Revenue() }},
	{"Paid out to the bank", `SELECT sum(amount) FROM payouts WHERE status = 'paid'`, func(b business.Books) int64 { return b.PaidOut }},
	{"Stripe's fees", `SELECT sum(fee) FROM balance_transactions`, func(b business.Books) int64 { return b.Fees }},
}

// compareBooks prints the sums from the tables next to those from the books. It returns an error if any differ.
func (a *app) compareBooks(ctx context.Context, path string, company *business.Business) error {
	books := company.Books()
	rows := [][]string{{"IN DOLLARS", "TABLES", "BOOKS"}}
	var errs []error
	for _, s := range comparedSums {
		cents, err := number(ctx, path, s.sql)
		if err != nil {
			return fmt.Errorf("ask %s: %w", path, err)
		}
		if cents != s.books(books) {
			errs = append(errs, fmt.Errorf("%s: the tables say %s, but the books say %s: this is a bug, please report it", s.words, dollars(cents), dollars(s.books(books))))
		}
		rows = append(rows, []string{s.words, dollars(cents), dollars(s.books(books))})
	}
	_, err := fmt.Fprintf(a.stdout, "\n%s", align(rows, 1))
	return errors.Join(append(errs, err)...)
}

// dollars formats an amount in cents as dollars.
func dollars(cents int64) string { return humanize.CommafWithDigits(float64(cents)/100, 2) }

// askAll prints each question, its SQL, and the answer.
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
	return nil
}

// liveInterval is the time between two events at the simulated company.
const liveInterval = 3 * time.Second

// liveDemo simulates changes at the company, and syncs them, until ctx is done.
func (a *app) liveDemo(ctx context.Context, service *client.Client, config *structpb.Struct, company *business.Business, path string) error {
	_, err := fmt.Fprintf(a.stdout, "\nLive until Ctrl-C: events at the company, and the rows that arrive.\n")
	if err != nil {
		return err
	}
	d, err := a.build.Destinations.Open(ctx, "sqlite:"+path)
	if err != nil {
		return err
	}
	both, ctx := errgroup.WithContext(ctx)
	stamp := func() string { return time.Now().Format("15:04:05") }
	both.Go(func() error {
		return company.Live(ctx, liveInterval, func(what string) { writeLine(a.stdout, "%s  %s", stamp(), what) })
	})
	both.Go(func() error {
		var arrived arrivals
		_, err := service.Sync(ctx, client.SyncOptions{Config: config, Destination: d, Selection: withoutCostly(client.Selection{}), Follow: true, FollowInterval: time.Second,
			Observe: func(_ context.Context, m *connectorv1.ReadResponse) {
				if line := arrived.observe(m); line != "" {
					writeLine(a.stdout, "%s    %s", stamp(), line)
				}
			}})
		if errors.Is(err, context.Canceled) {
			err = nil // Ctrl-C is how a live demo ends
		}
		return err
	})
	return errors.Join(both.Wait(), d.Close())
}

// arrivals counts the rows that a following sync receives.
type arrivals struct {
	mu   sync.Mutex
	rows map[string]int
}

// observe counts the records in m. At each heartbeat, it returns a line about the rows since the previous line, or ""
// if there are none.
func (r *arrivals) observe(m *connectorv1.ReadResponse) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if batch := m.GetRecords(); batch != nil {
		if r.rows == nil {
			r.rows = map[string]int{}
		}
		for _, record := range batch.GetRecords() {
			if record.GetOperation() != connectorv1.Operation_OPERATION_DELETE_MATCHING { // announces rows, but isn't one
				r.rows[batch.GetStream()]++
			}
		}
		if r.rows[batch.GetStream()] == 0 {
			delete(r.rows, batch.GetStream())
		}
	}
	if m.GetProgress() == nil || len(r.rows) == 0 {
		return ""
	}
	var each []string
	for _, stream := range slices.Sorted(maps.Keys(r.rows)) {
		each = append(each, fmt.Sprintf("%d %s", r.rows[stream], stream))
	}
	r.rows = nil
	return "→ " + strings.Join(each, ", ")
}
