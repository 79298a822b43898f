package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/singer"
)

const singerHelp = `Runs as a Singer tap that replaces tap-stripe: it accepts its configuration and catalog, and resumes from its state. It
prints SCHEMA, RECORD and STATE messages to stdout, and logs and metrics to stderr. docs/singer.md explains how to switch.`

func (a *app) singer() *cobra.Command {
	var configPath, catalogPath, propertiesPath, statePath string
	var discover bool
	cmd := &cobra.Command{
		Use:   "singer",
		Short: "Run as a Singer tap, in place of tap-stripe",
		Long:  singerHelp,
		Example: `  stripe-connector singer --config config.json --discover > catalog.json
  stripe-connector singer --config config.json --catalog catalog.json --state state.json | target-postgres --config target.json > states.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if catalogPath == "" {
				catalogPath = propertiesPath
			}
			log := singer.NewLog(cleaned{a.stderr})
			err := a.runSinger(cmd.Context(), log, singerCall{configPath, catalogPath, statePath, discover})
			if err == nil {
				return nil
			}
			log.Fail(err.Error())
			return failedError{err}
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&configPath, "config", "c", "", "JSON `file` with tap-stripe's configuration")
	flags.StringVarP(&statePath, "state", "s", "", "JSON `file` with the value of the last STATE message, from tap-stripe or this command")
	flags.StringVar(&catalogPath, "catalog", "", "JSON `file` with the catalog, in which streams and columns are selected")
	flags.StringVarP(&propertiesPath, "properties", "p", "", "alias for --catalog")
	flags.BoolVarP(&discover, "discover", "d", false, "print the catalog")
	cmd.MarkFlagsMutuallyExclusive("catalog", "properties")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // can't happen: the flag is defined above
	}
	return cmd
}

// singerCall holds the flags of a call.
type singerCall struct {
	config, catalog, state string // paths
	discover               bool
}

// runSinger runs a call of the tap. The error's message is for the user.
func (a *app) runSinger(ctx context.Context, log *singer.Log, c singerCall) error {
	raw, err := a.readFile(c.config)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	tap, config, err := takeover.NewSinger(raw, time.Now())
	if err != nil {
		return explained(err, nil)
	}
	call := singer.Call{Config: config, Discover: c.discover}
	for _, file := range []struct {
		path    string
		content *[]byte
	}{{c.catalog, &call.Catalog}, {c.state, &call.State}} {
		if file.path == "" {
			continue
		}
		content, err := a.readFile(file.path)
		if err != nil {
			return fmt.Errorf("read a file: %w", err)
		}
		*file.content = append([]byte{}, content...) // not nil, even if the file is empty
	}
	runner := &singer.Runner{Source: a.source(tap.APIBases(), log), Tap: tap, Stdout: a.stdout, Log: log}
	for _, s := range tap.Streams() {
		runner.Streams = append(runner.Streams, singer.Stream(s))
	}
	if a.stdout == os.Stdout {
		signal.Ignore(syscall.SIGPIPE) // so that a target that has ended is an error with an explanation
	}
	return explained(runner.Run(ctx, call), tap)
}

// explained returns an error with a message for the user: the message of the failure in err, with the tap's names of fields.
func explained(err error, tap *takeover.Singer) error {
	failure, ok := connector.FailureIn(err)
	if !ok {
		return err
	}
	message := strings.Replace(err.Error(), failure.Error(), failure.Message, 1)
	if failure.Class == connector.System && failure.Internal != "" {
		message += " " + firstLine(failure.Internal)
	}
	if failure.RequestID != "" {
		message += " Request id for Stripe's support: " + failure.RequestID
	}
	return errors.New(tap.Explain(message))
}

// cleaned is a writer that hides API keys and control characters in what is written to it, one message at a time.
type cleaned struct{ io.Writer }

func (c cleaned) Write(text []byte) (int, error) {
	_, err := io.WriteString(c.Writer, printable(hideKeys(string(text))))
	return len(text), err
}
