package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/client/runlog"
)

// defaultPipelines is the pipeline file that commands use if none is named.
const defaultPipelines = "pipelines.yaml"

// fileArgument returns the i-th argument, which names the pipeline file, or the default if there is none.
func fileArgument(args []string, i int) string {
	if len(args) > i {
		return args[i]
	}
	return defaultPipelines
}

// readPipelines reads the pipeline file at path.
func (a *app) readPipelines(path string) (*pipeline.File, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s doesn't exist: create it with `stripe-connector init %s`, or pass the path of your pipeline file", path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the pipeline file: %w", err)
	}
	return pipeline.Parse(path, content)
}

// withRunLog opens a pipeline file's run log and calls do with it. Before that, it marks runs whose process died as lost.
func (a *app) withRunLog(ctx context.Context, path string, do func(*runlog.Store) error) error {
	file, err := a.readPipelines(path)
	if err != nil {
		return err
	}
	log, err := runlog.View(ctx, file.RunLog)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nothing has run yet, so there is no log at %s: start with `stripe-connector run --once %s`", file.RunLog, path)
	}
	if err != nil {
		return err
	}
	if err := file.Reap(ctx, log); err != nil {
		return errors.Join(err, log.Close())
	}
	return errors.Join(do(log), log.Close())
}

// formatFlag adds the flag --format with these values. The first is the default.
func formatFlag(cmd *cobra.Command, format *string, known ...string) {
	cmd.Flags().StringVar(format, "format", known[0], strings.Join(known, " or "))
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, k := range known {
			if *format == k {
				return nil
			}
		}
		return fmt.Errorf("--format must be %s, got %q", strings.Join(known, " or "), *format)
	}
}

// printJSON prints a value as indented JSON.
func (a *app) printJSON(value any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
