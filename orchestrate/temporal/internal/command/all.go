package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// longestList is the maximum total length of the names in one workflow. Temporal limits an argument to 2 MB.
const longestList = 1 << 20

// orAll adds the flag --all to a command for one pipeline, with which it syncs all pipelines of a file.
func (c *connection) orAll(cmd *cobra.Command) *cobra.Command {
	var all, detach bool
	var width int
	one := cmd.RunE
	cmd.Use = "sync NAME | sync --all [FILE]"
	cmd.Long = `Syncs a pipeline now, or once more if it is running.

With --all, syncs the pipelines in a file (default: pipelines.yaml) now, a limited number at the same time, and waits for them.
Paused pipelines, those that follow, and those that are running are skipped.`
	cmd.Example = `  stripe-connector-temporal sync acme
  stripe-connector-temporal sync --all --width 20 pipelines.yaml`
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if all {
			return cobra.MaximumNArgs(1)(cmd, args)
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all {
			return c.syncAll(cmd, fileArgument(args), width, detach)
		}
		return one(cmd, args)
	}
	flags := cmd.Flags()
	flags.BoolVar(&all, "all", false, "sync all pipelines of a file")
	flags.IntVar(&width, "width", 10, "with --all, maximum `number` of pipelines at the same time")
	flags.BoolVar(&detach, "detach", false, "with --all, don't wait for the syncs to end")
	return cmd
}

func (c *connection) syncAll(cmd *cobra.Command, path string, width int, detach bool) error {
	if width < 1 {
		return usageError{fmt.Errorf("--width must be at least 1, got %d", width)}
	}
	file, err := ReadFile(path)
	if err != nil {
		return err
	}
	argument := temporal.FanOut{Width: width}
	for _, p := range file.Pipelines {
		if !p.Schedule.Follows() {
			argument.Names = append(argument.Names, p.Name)
		}
	}
	if len(strings.Join(argument.Names, `","`)) > longestList {
		return fmt.Errorf("%s has too many pipelines for one workflow (%d): split the file", path, len(argument.Names))
	}
	return c.with(cmd, quiet, func(t client.Client) error {
		options := client.StartWorkflowOptions{ID: temporal.ID("") + "all:" + filepath.Base(path), TaskQueue: c.taskQueue,
			WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL, WorkflowExecutionErrorWhenAlreadyStarted: true}
		run, err := t.ExecuteWorkflow(cmd.Context(), options, temporal.WorkflowFanOut, argument)
		if _, running := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); running {
			return fmt.Errorf("the pipelines of %s are already being synced by workflow %s: wait for it, or cancel it", path, options.ID)
		}
		if err != nil {
			return fmt.Errorf("sync all pipelines: %w", err)
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "Syncing %d pipelines: workflow %s, run %s.\n", len(argument.Names), run.GetID(), run.GetRunID()); err != nil || detach {
			return err
		}
		var result temporal.FanOutResult
		if err := run.Get(cmd.Context(), &result); err != nil {
			return fmt.Errorf("sync all pipelines: %w", err)
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d succeeded, %d skipped, %d paused, %d failed.\n", result.Succeeded, result.Skipped, result.Paused, result.Failed); err != nil {
			return err
		}
		if result.Failed > 0 {
			return fmt.Errorf("%d of %d pipelines failed: %s", result.Failed, len(argument.Names), strings.Join(result.Failures, ", "))
		}
		return nil
	})
}
