package command

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

func (c *connection) pause() *cobra.Command {
	return c.signal("pause NAME", "Stop a pipeline's sync at its last state, and pause its schedule", temporal.SignalPause, "will pause", cobra.ExactArgs(1))
}

func (c *connection) resume() *cobra.Command {
	return c.signal("resume NAME", "End the pause of a pipeline's schedule, and sync now", temporal.SignalResume, "will resume", cobra.ExactArgs(1))
}

func (c *connection) sync() *cobra.Command {
	cmd := c.signal("sync NAME", "Sync a pipeline now, or once more if it is running", temporal.SignalSyncNow, "will sync", cobra.ExactArgs(1))
	return c.orAll(cmd)
}

func (c *connection) reread() *cobra.Command {
	return c.signal("reread NAME STREAM...", "Sync a pipeline now, with some streams from the beginning", temporal.SignalReread,
		"will re-read streams", cobra.MinimumNArgs(2))
}

// signal returns a command that sends a signal to a pipeline's workflow, which it starts if it isn't running.
func (c *connection) signal(use, short, signal, done string, args cobra.PositionalArgs) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			var payload any
			if len(args) > 1 {
				payload = args[1:]
			}
			return c.with(cmd, quiet, func(t client.Client) error {
				options := client.StartWorkflowOptions{TaskQueue: c.taskQueue}
				run, err := t.SignalWithStartWorkflow(cmd.Context(), temporal.ID(args[0]), signal, payload, options, temporal.WorkflowPipeline, args[0])
				if err != nil {
					return fmt.Errorf("signal pipeline %s: %w", args[0], err)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Pipeline %s %s: workflow %s, run %s.\n", args[0], done, run.GetID(), run.GetRunID())
				return err
			})
		},
	}
}
