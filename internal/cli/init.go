package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
)

const initHelp = `Asks for everything that a first pipeline needs (the API key, which is not echoed, the streams, the destination and the
schedule), checks each answer, and writes the pipeline to a file (default: pipelines.yaml). An empty answer selects the
default in brackets. Answers may come from a pipe, one per line.

The file refers to the key: to the environment variable STRIPE_API_KEY if that is set, or else to a key file beside it that
only its owner can read.`

func (a *app) initialize() *cobra.Command {
	var c call
	var base string
	cmd := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Set up a first pipeline interactively",
		Long:  initHelp,
		Example: `  stripe-connector init
  STRIPE_API_KEY=rk_live_… stripe-connector init pipelines.yaml
  stripe-connector init --api-base http://127.0.0.1:12111   # a simulated Stripe`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := fileArgument(args, 0)
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s already exists: choose another file, or edit it and run `stripe-connector run --check %s`",
					path, path)
			}
			if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
				return fmt.Errorf("folder %s doesn't exist: create it first", filepath.Dir(path))
			}
			do := func(service *client.Client) error {
				s := setup{app: a, prompt: a.prompt(), service: service, path: path, base: base}
				return s.run(cmd.Context())
			}
			if c.target != "" {
				return c.connected(a, cmd.Context(), nil, do)
			}
			var bases []string
			if base != "" {
				bases = append(bases, base)
			}
			return a.inProcess(cmd.Context(), bases, do)
		},
	}
	c.addTarget(cmd)
	cmd.Flags().StringVar(&base, "api-base", "", "`URL` of an API other than Stripe's, such as a simulated one")
	return cmd
}

// setup is one run of init.
type setup struct {
	*app
	*prompt
	service *client.Client
	path    string
	base    string

	draft draft
	key   string
}

// run asks all questions and writes the pipeline file, and the key file if there is one.
func (s *setup) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.askKey, s.askStreams, s.askDestination, s.askSchedule} {
		if err := step(ctx); errors.Is(err, context.Canceled) {
			s.complain("Interrupted. No pipeline was written.")
			return failedError{err}
		} else if err != nil {
			return err
		}
	}
	content := s.draft.yaml()
	if _, err := pipeline.Parse(s.path, content); err != nil {
		return fmt.Errorf("this is a bug, please report it: %w", err)
	}
	if s.draft.KeyFile != "" {
		if err := writeNew(filepath.Join(filepath.Dir(s.path), s.draft.KeyFile), []byte(s.key+"\n")); err != nil {
			return fmt.Errorf("write the key file: %w", err)
		}
	}
	if err := writeNew(s.path, content); err != nil {
		return fmt.Errorf("write the pipeline file: %w", err)
	}
	writeLine(s.out, "\nWrote %s. Now:\n"+
		"  stripe-connector run --once %s   # the first sync\n"+
		"  stripe-connector run %s          # on its schedule, until it is stopped\n"+
		"  stripe-connector report --out report.html %s", s.path, s.path, s.path, s.path)
	return nil
}

// writeNew creates a file that only its owner can read, since it may contain a secret. It fails if the file exists.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}
