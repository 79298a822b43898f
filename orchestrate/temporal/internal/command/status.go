package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// quiet logs nothing: the errors of commands that only call Temporal are returned.
var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// queryTime is how long to wait for a worker to answer a query.
const queryTime = 10 * time.Second

// status is what the command of this name prints, as JSON.
type status struct {
	Pipeline string `json:"pipeline"`
	// Workflow is the status of the last workflow, such as RUNNING, or empty if there is none.
	Workflow string          `json:"workflow"`
	Started  time.Time       `json:"started,omitzero"`
	Ended    time.Time       `json:"ended,omitzero"`
	State    *temporal.State `json:"state,omitempty"`
	// Progress is that of the running sync, with its attempt and the failure of the attempt before.
	Progress *temporal.Progress `json:"progress,omitempty"`
	Attempt  int32              `json:"attempt,omitempty"`
	Failure  string             `json:"failure,omitempty"`
	Paused   bool               `json:"paused"`
	Note     string             `json:"note,omitempty"`
}

func (c *connection) status() *cobra.Command {
	return &cobra.Command{
		Use: "status NAME", Short: "Print the state of a pipeline as JSON", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, quiet, func(t client.Client) error {
				s, err := statusOf(cmd.Context(), t, args[0])
				if err != nil {
					return fmt.Errorf("get the status of pipeline %s: %w", args[0], err)
				}
				text, err := json.MarshalIndent(s, "", "  ")
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
				return err
			})
		},
	}
}

// statusOf returns the status of a pipeline.
func statusOf(ctx context.Context, t client.Client, name string) (status, error) {
	s := status{Pipeline: name}
	if schedule, err := t.ScheduleClient().GetHandle(ctx, temporal.ID(name)).Describe(ctx); err == nil {
		s.Paused, s.Note = schedule.Schedule.State.Paused, schedule.Schedule.State.Note
	} else if !isMissing(err) {
		return s, err
	}
	found, err := t.DescribeWorkflowExecution(ctx, temporal.ID(name), "")
	if isMissing(err) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	info := found.GetWorkflowExecutionInfo()
	s.Workflow, s.Started = info.GetStatus().String(), info.GetStartTime().AsTime()
	if end := info.GetCloseTime(); end != nil {
		s.Ended = end.AsTime()
	}
	for _, a := range found.GetPendingActivities() {
		s.Attempt, s.Failure = a.GetAttempt(), a.GetLastFailure().GetMessage()
		if details := a.GetHeartbeatDetails(); details != nil {
			s.Progress = &temporal.Progress{}
			if err := converter.GetDefaultDataConverter().FromPayloads(details, s.Progress); err != nil {
				return s, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	answer, err := t.QueryWorkflow(ctx, temporal.ID(name), "", temporal.QueryProgress)
	if err != nil {
		if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return s, nil
		}
		return s, err // most likely, no worker is running
	}
	s.State = &temporal.State{}
	return s, answer.Get(s.State)
}

// isMissing reports whether err means that there is no such workflow or schedule.
func isMissing(err error) bool {
	_, missing := errors.AsType[*serviceerror.NotFound](err)
	return missing
}
