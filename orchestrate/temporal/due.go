package temporal

import (
	"errors"

	enums "go.temporal.io/api/enums/v1"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// due is WorkflowDue. A schedule appends the time to the ID of the workflow that it starts, so that workflow can't have the
// pipeline's ID itself.
func due(ctx workflow.Context, name string) (Result, error) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          ID(name),
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, // the sync ends at a state
		WaitForCancellation: true,
	})
	var result Result
	err := workflow.ExecuteChildWorkflow(ctx, WorkflowPipeline, name).Get(ctx, &result)
	if _, running := errors.AsType[*sdk.ChildWorkflowExecutionAlreadyStartedError](err); running {
		return Result{Status: StatusSkipped}, nil
	}
	return result, err
}
