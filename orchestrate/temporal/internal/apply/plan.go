package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// concurrency is how many schedules to read or to change at the same time.
const concurrency = 16

// Action is what to do with a schedule.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Change is a change of one schedule.
type Change struct {
	Pipeline string  `json:"pipeline"`
	Action   Action  `json:"action"`
	Fields   []Field `json:"fields,omitempty"`

	target *target
}

// Paused is a schedule that stays paused, although the file doesn't say so.
type Paused struct {
	Pipeline string `json:"pipeline"`
	Note     string `json:"note"`
}

// Plan is the difference between a pipeline file and the schedules of a namespace.
type Plan struct {
	Set       string   `json:"set"`
	Changes   []Change `json:"changes"` // in file order, then deletions by name
	Unchanged int      `json:"unchanged"`
	Paused    []Paused `json:"paused,omitempty"`
}

// Make compares the file with the schedules in the client's namespace. If the file can't be applied, the error lists every
// reason.
func Make(ctx context.Context, c client.Client, o Options) (*Plan, error) {
	var targets []*target
	for _, p := range o.File.Pipelines {
		targets = append(targets, &target{p, false, &o})
	}
	for _, p := range o.File.Paused {
		targets = append(targets, &target{p, true, &o})
	}
	slices.SortFunc(targets, func(a, b *target) int { return a.pipeline.Line - b.pipeline.Line })
	comparisons := make([]comparison, len(targets))
	errs := make([]error, len(targets))
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i, t := range targets {
		group.Go(func() error {
			if comparisons[i], errs[i] = t.compare(ctx, c); errs[i] != nil {
				errs[i] = fmt.Errorf("pipeline %s: %w", t.pipeline.Name, errs[i])
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs, in file order
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	plan := &Plan{Set: o.Set, Changes: []Change{}}
	created := 0
	for _, n := range comparisons {
		if n.change == nil {
			plan.Unchanged++
		} else {
			plan.Changes = append(plan.Changes, *n.change)
			if n.change.Action == Create {
				created++
			}
		}
		if n.paused != nil {
			plan.Paused = append(plan.Paused, *n.paused)
		}
	}
	gone, err := obsolete(ctx, c, o, targets)
	if err != nil {
		return nil, err
	}
	if n := len(gone); n > 0 && created == len(targets) && !o.DeleteAll {
		return nil, fmt.Errorf("none of the schedules in the set %q is in %s, so all %d would be deleted: choose another name with --set if the set belongs to another file, or pass --delete-all",
			o.Set, o.File.Path, n)
	}
	for _, name := range gone {
		plan.Changes = append(plan.Changes, Change{Pipeline: name, Action: Delete})
	}
	return plan, nil
}

// comparison is the result of comparing a target with the schedule that exists, if any. change is nil if they are equal.
type comparison struct {
	change *Change
	paused *Paused
}

func (t *target) compare(ctx context.Context, c client.Client) (comparison, error) {
	existing, err := c.ScheduleClient().GetHandle(ctx, temporal.ID(t.pipeline.Name)).Describe(ctx)
	switch {
	case isNotFound(err):
		wanted, err := t.schedule(nil)
		if err != nil {
			return comparison{}, err
		}
		return comparison{change: &Change{t.pipeline.Name, Create, differences(nil, wanted), t}}, nil
	case err != nil:
		return comparison{}, fmt.Errorf("describe its schedule: %w", err)
	}
	wanted, err := t.merge(existing)
	if err != nil {
		return comparison{}, err
	}
	var result comparison
	if fields := differences(&existing.Schedule, wanted); len(fields) > 0 {
		result.change = &Change{t.pipeline.Name, Update, fields, t}
	}
	if wanted.State.Paused && !t.paused {
		result.paused = &Paused{t.pipeline.Name, wanted.State.Note}
	}
	return result, nil
}

// merge returns what to change an existing schedule to. It fails if the schedule doesn't belong to the set.
func (t *target) merge(existing *client.ScheduleDescription) (*client.Schedule, error) {
	switch owner := text(existing.Memo.GetFields()[memoSet]); owner {
	case t.options.Set:
		return t.schedule(&existing.Schedule)
	case "":
		return nil, fmt.Errorf("the schedule %s exists, but was not created by apply: rename the pipeline, or delete the schedule", temporal.ID(t.pipeline.Name))
	default:
		return nil, fmt.Errorf("the schedule %s belongs to the set %q, not to %q: rename the pipeline, or name the right set with --set", temporal.ID(t.pipeline.Name), owner, t.options.Set)
	}
}

// obsolete returns the names of the pipelines that have a schedule of the set, but are no longer in the file.
func obsolete(ctx context.Context, c client.Client, o Options, targets []*target) ([]string, error) {
	known := map[string]bool{}
	for _, t := range targets {
		known[t.pipeline.Name] = true
	}
	schedules, err := c.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the schedules: %w", err)
	}
	var names []string
	for schedules.HasNext() {
		s, err := schedules.Next()
		if err != nil {
			return nil, fmt.Errorf("list the schedules: %w", err)
		}
		name, ok := strings.CutPrefix(s.ID, temporal.ID(""))
		if !ok || known[name] || text(s.Memo.GetFields()[memoSet]) != o.Set {
			continue
		}
		// Lists may be some seconds old.
		if _, err := c.ScheduleClient().GetHandle(ctx, s.ID).Describe(ctx); err == nil {
			names = append(names, name)
		} else if !isNotFound(err) {
			return nil, fmt.Errorf("describe the schedule %s: %w", s.ID, err)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
