package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

const simulateHelp = `Runs a simulated Stripe on this machine until SIGTERM or SIGINT: a fictional account that any well-formed key may read. The
same flags on the same day produce the same data. It answers only GET requests.

It prints a configuration on stdout, and how to use it on stderr.`

// simulated holds the flags of simulate.
type simulated struct {
	listen    string
	scale     float64
	seed      uint64
	latency   time.Duration
	errorRate float64
	limits    string

	changes    string
	deny       []string
	notEnabled []string
	truth      string
}

func (a *app) simulate() *cobra.Command {
	var s simulated
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run a simulated Stripe to try things out",
		Long:  simulateHelp,
		Example: `  stripe-connector simulate > config.json
  stripe-connector simulate --scale 100 --latency 100ms --limits live
  stripe-connector simulate --error-rate 0.05
  stripe-connector simulate --changes 5/s --deny charges --not-enabled issuing --truth 127.0.0.1:12112`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stripe, err := s.start()
			if err != nil {
				return err
			}
			defer stripe.Close()
			writeLine(a.stderr, "Simulated Stripe at %s until Ctrl-C. With the configuration in config.json:\n"+
				"  stripe-connector sync --config config.json --to %s\n"+
				"  stripe-connector serve --allow-api-base %s", stripe.URL, a.build.Destinations.Examples()[0], stripe.URL)
			if _, err := fmt.Fprintln(a.stdout, simulatedConfig(stripe.URL, s.limits)); err != nil {
				return err
			}
			return s.live(cmd.Context(), a, stripe)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:12111", "loopback `address` to listen on; port 0 takes a free one")
	flags.Float64Var(&s.scale, "scale", 1, "`factor` for the number of objects: 1 means a few thousand")
	flags.Uint64Var(&s.seed, "seed", 0, "seed `number` for everything that looks random")
	flags.DurationVar(&s.latency, "latency", 0, "`time` that each response takes")
	flags.Float64Var(&s.errorRate, "error-rate", 0, "`share` of requests that fail: with status 500, truncated bodies or broken connections")
	flags.StringVar(&s.limits, "limits", "off", "rate limits: off, or Stripe's for test or live mode")
	flags.StringVar(&s.changes, "changes", "", "`rate` of changes to make, such as 5/s or 30/m (default: none)")
	flags.StringSliceVar(&s.deny, "deny", nil, "`names` of streams that keys may not read")
	flags.StringSliceVar(&s.notEnabled, "not-enabled", nil, "`products` that the account does not have: issuing, treasury")
	flags.StringVar(&s.truth, "truth", "", "loopback `address` that serves the truth: all objects of the list at the requested path, as JSON Lines")
	a.completeStreams(cmd, "deny")
	return cmd
}

// start starts a simulated Stripe with these flags.
func (s *simulated) start() (*stripetest.Server, error) {
	options := stripetest.Options{Seed: s.seed, Scale: s.scale, Gzip: true, NotEnabled: s.notEnabled}
	for _, product := range s.notEnabled {
		if product != "issuing" && product != "treasury" {
			return nil, usageError{fmt.Errorf("--not-enabled must be issuing or treasury, got %q", product), "stripe-connector simulate"}
		}
	}
	if _, err := s.rate(); err != nil {
		return nil, usageError{err, "stripe-connector simulate"}
	}
	denied, err := s.denied()
	if err != nil {
		return nil, usageError{err, "stripe-connector simulate"}
	}
	switch s.limits {
	case "off":
	case "test":
		options.Limits = stripetest.TestLimits()
	case "live":
		options.Limits = stripetest.LiveLimits()
	default:
		return nil, usageError{fmt.Errorf("--limits must be off, test or live, got %q", s.limits), "stripe-connector simulate"}
	}
	if s.errorRate < 0 || s.errorRate >= 1 {
		return nil, usageError{fmt.Errorf("--error-rate must be at least 0 and less than 1, got %g", s.errorRate),
			"stripe-connector simulate"}
	}
	if s.scale <= 0 {
		return nil, usageError{fmt.Errorf("--scale must be greater than 0, got %g", s.scale), "stripe-connector simulate"}
	}
	if s.latency > 0 {
		options.Latency = func(string) time.Duration { return s.latency }
	}
	stripe, err := stripetest.Listen(s.listen, options)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: choose another address with --listen: %w", err)
	}
	for _, path := range denied {
		stripe.Inject(stripetest.Fault{Kind: stripetest.PermissionMissing, Path: path})
	}
	if s.errorRate > 0 {
		for kind, share := range map[stripetest.FaultKind]float64{
			stripetest.ServerError: 0.5, stripetest.Dropped: 0.25, stripetest.Truncated: 0.25,
		} {
			stripe.Inject(stripetest.Fault{Kind: kind, Probability: s.errorRate * share})
		}
	}
	return stripe, nil
}

// simulatedConfig returns a configuration that reads the whole year of data in a simulated Stripe, as fast as its
// limits (off, test or live) allow.
func simulatedConfig(url, limits string) string {
	fields := map[string]any{
		"api_key":    "sk_test_simulated",
		"api_base":   url,
		"start_date": time.Now().UTC().AddDate(-1, 0, -7).Format(time.DateOnly),
	}
	switch limits {
	case "off":
		fields["max_requests_per_second"] = 10_000
	case "live":
		fields["api_key"] = "sk_live_simulated"
	}
	config, _ := json.Marshal(fields) // strings and numbers can't fail
	return string(config)
}
