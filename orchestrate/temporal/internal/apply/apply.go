package apply

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/client/schedule"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// Apply makes the changes of the plan. done, if not nil, is called after each of them, concurrently. Apply continues after
// an error, and returns all of them.
func (p *Plan) Apply(ctx context.Context, c client.Client, done func(Change)) error {
	errs := make([]error, len(p.Changes))
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i, change := range p.Changes {
		group.Go(func() error {
			if err := change.apply(ctx, c); err != nil {
				errs[i] = fmt.Errorf("pipeline %s: %s its schedule: %w", change.Pipeline, change.Action, err)
			} else if done != nil {
				done(change)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs, in the plan's order
	return errors.Join(errs...)
}

func (ch *Change) apply(ctx context.Context, c client.Client) error {
	switch ch.Action {
	case Create:
		return ch.create(ctx, c)
	case Update:
		return ch.update(ctx, c)
	case Delete:
		return ch.delete(ctx, c)
	}
	return fmt.Errorf("the action %q is unknown", ch.Action)
}

func (ch *Change) create(ctx context.Context, c client.Client) error {
	s, err := ch.target.schedule(nil)
	if err != nil {
		return err
	}
	_, err = c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: temporal.ID(ch.Pipeline), Spec: *s.Spec, Action: s.Action, Overlap: s.Policy.Overlap, CatchupWindow: s.Policy.CatchupWindow,
		Paused: s.State.Paused, Note: s.State.Note, TriggerImmediately: ch.target.triggers(), Memo: map[string]any{memoSet: ch.target.options.Set},
	})
	if errors.Is(err, sdk.ErrScheduleAlreadyRunning) {
		return errors.New("someone else has created it since the comparison: apply again")
	}
	return err
}

// update changes the schedule. It compares again with what the schedule is now, in case the worker has paused it meanwhile.
// A run in progress ends by itself, unless it follows changes and should no longer.
func (ch *Change) update(ctx context.Context, c client.Client) error {
	stop := false
	err := c.ScheduleClient().GetHandle(ctx, temporal.ID(ch.Pipeline)).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			wanted, err := ch.target.merge(&in.Description)
			if err != nil {
				return nil, err
			}
			stop = follows(&in.Description.Schedule) && (wanted.State.Paused || !ch.target.pipeline.Schedule.Follows())
			return &client.ScheduleUpdate{Schedule: wanted}, nil
		},
	})
	if err != nil || !stop {
		return err
	}
	return ch.stop(ctx, c)
}

func (ch *Change) delete(ctx context.Context, c client.Client) error {
	if err := c.ScheduleClient().GetHandle(ctx, temporal.ID(ch.Pipeline)).Delete(ctx); err != nil && !isNotFound(err) {
		return err
	}
	return ch.stop(ctx, c)
}

// follows reports whether a schedule keeps a pipeline running that never ends.
func follows(s *client.Schedule) bool {
	follow, err := schedule.Parse(schedule.Spec{Follow: true})
	return err == nil && remembered(s, memoSchedule) == follow.String()
}

// stop asks a running pipeline to end at its next checkpoint.
func (ch *Change) stop(ctx context.Context, c client.Client) error {
	if err := c.CancelWorkflow(ctx, temporal.ID(ch.Pipeline), ""); err != nil && !isNotFound(err) {
		return fmt.Errorf("stop the running pipeline: %w", err)
	}
	return nil
}

func isNotFound(err error) bool {
	_, missing := errors.AsType[*serviceerror.NotFound](err)
	return missing
}
