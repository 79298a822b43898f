package apply

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"

	"github.com/stripe-connector/stripe-connector/client/schedule"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// maxRounds is how often to change a schedule that others change at the same time.
const maxRounds = 10

// Apply makes the changes of the plan. done, if not nil, is called after each of them, concurrently. Apply continues after
// an error, and returns all of them. It may be interrupted and repeated: what is done already stays as it is.
func (p *Plan) Apply(ctx context.Context, c client.Client, done func(Change)) error {
	s := newSession(c, p.options.Report)
	applied, err := s.each(ctx, "changed", len(p.Changes), func(ctx context.Context, i int) error {
		change := p.Changes[i]
		if err := p.change(ctx, s, &change); err != nil {
			return fmt.Errorf("pipeline %s: %s its schedule: %w", change.Pipeline, change.Action, err)
		}
		if done != nil {
			done(change)
		}
		return nil
	})
	if _, silent := errors.AsType[*silence](err); silent || errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopped after %d of %d changes, apply again to continue: %w", applied, len(p.Changes), err)
	}
	return err
}

func (p *Plan) change(ctx context.Context, s *session, ch *Change) error {
	switch ch.Action {
	case Create, Update:
		return (&put{Change: ch, session: s}).run(ctx)
	case Delete:
		return p.delete(ctx, s, ch.Pipeline)
	}
	return fmt.Errorf("the action %q is unknown", ch.Action)
}

// put is the creation or update of a schedule.
type put struct {
	*Change
	session *session
	equal   bool // the schedule is as wanted
	resumes bool // an update was to end a pause
	stops   bool // a run in progress must stop
}

// run creates or updates the schedule until it is as wanted, also if others create, change or delete it at the same time.
// Temporal may drop an update without an error if something else has changed since the description, so run looks at the
// result.
func (p *put) run(ctx context.Context) error {
	exists := p.Action == Update
	var last error
	for range maxRounds {
		if !exists {
			if last = p.create(ctx); !errors.Is(last, sdk.ErrScheduleAlreadyRunning) {
				return last
			}
			exists = true
		}
		last = p.update(ctx)
		_, conflict := errors.AsType[*serviceerror.FailedPrecondition](last)
		switch {
		case isNotFound(last):
			exists = false
		case last != nil && !conflict:
			return last
		case p.equal && p.stops:
			return p.session.stop(ctx, p.Pipeline)
		case p.equal:
			return nil
		}
	}
	return errors.Join(errors.New("something else keeps changing it: find out what, and apply again"), last)
}

func (p *put) create(ctx context.Context) error {
	wanted, err := p.target.schedule(nil)
	if err != nil {
		return err
	}
	return p.session.call(ctx, func(ctx context.Context) error {
		_, err := p.session.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
			ID: temporal.ID(p.Pipeline), Spec: *wanted.Spec, Action: wanted.Action, Overlap: wanted.Policy.Overlap, CatchupWindow: wanted.Policy.CatchupWindow,
			Paused: wanted.State.Paused, Note: wanted.State.Note, TriggerImmediately: p.target.triggers(), Memo: map[string]any{memoSet: p.target.options.Set},
		})
		return err
	})
}

// update sends an update, unless the schedule is equal already.
func (p *put) update(ctx context.Context) error {
	return p.session.call(ctx, func(ctx context.Context) error {
		return p.session.client.ScheduleClient().GetHandle(ctx, temporal.ID(p.Pipeline)).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				if w, ok := ctx.Value(wireKey{}).(*wire); !ok || w.token == nil {
					return nil, errors.New("the client was dialed without apply.DialOption")
				}
				return p.merge(&in.Description)
			},
		})
	})
}

// merge returns the update of an existing schedule. It keeps a pause that began since the comparison. A run in progress ends by
// itself, unless it follows changes and should no longer.
func (p *put) merge(existing *client.ScheduleDescription) (*client.ScheduleUpdate, error) {
	wanted, err := p.target.merge(existing)
	if err != nil {
		return nil, err
	}
	now := existing.Schedule.State
	p.equal = len(differences(&existing.Schedule, wanted)) == 0
	switch {
	case p.equal && p.resumes && now.Paused:
		return nil, fmt.Errorf("it was paused again meanwhile, and stays paused: %s", now.Note)
	case p.equal:
		return nil, sdk.ErrSkipScheduleUpdate
	case now.Paused && !wanted.State.Paused:
		p.resumes, p.target.pause = true, nil // a later one stays
	}
	p.stops = p.stops || follows(&existing.Schedule) && (wanted.State.Paused || !p.target.pipeline.Schedule.Follows())
	return &client.ScheduleUpdate{Schedule: wanted}, nil
}

// delete deletes the schedule, if it still belongs to the set, and stops the pipeline.
func (p *Plan) delete(ctx context.Context, s *session, name string) error {
	existing, err := s.describe(ctx, temporal.ID(name))
	switch {
	case isNotFound(err):
		return s.stop(ctx, name)
	case err != nil:
		return err
	case ownerOf(existing) != p.Set:
		return nil
	}
	err = s.call(ctx, s.client.ScheduleClient().GetHandle(ctx, temporal.ID(name)).Delete)
	if err != nil && !isNotFound(err) {
		return err
	}
	return s.stop(ctx, name)
}

// describe returns a schedule.
func (s *session) describe(ctx context.Context, id string) (found *client.ScheduleDescription, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		found, err = s.client.ScheduleClient().GetHandle(ctx, id).Describe(ctx)
		return err
	})
	return found, err
}

// stop asks a running pipeline to end at its next checkpoint.
func (s *session) stop(ctx context.Context, name string) error {
	err := s.call(ctx, func(ctx context.Context) error { return s.client.CancelWorkflow(ctx, temporal.ID(name), "") })
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("stop the running pipeline: %w", err)
	}
	return nil
}

// follows reports whether a schedule keeps a pipeline running that never ends.
func follows(s *client.Schedule) bool {
	follow, err := schedule.Parse(schedule.Spec{Follow: true})
	return err == nil && remembered(s, memoSchedule) == follow.String()
}
