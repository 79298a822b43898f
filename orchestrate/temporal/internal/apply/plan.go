package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// listPage is how many schedules to list in one call. Temporal limits the calls per second to a few, and a page may cost it a
// read per schedule.
const listPage = 250

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
	// Attributes are the search attributes to register. Workflows run without them.
	Attributes []string `json:"search_attributes,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`

	options Options
}

// Make compares the file with the schedules in the client's namespace. If the file can't be applied, the error says why for
// each pipeline.
func Make(ctx context.Context, c client.Client, o Options) (*Plan, error) {
	var targets []*target
	for _, p := range o.File.Pipelines {
		targets = append(targets, &target{pipeline: p, options: &o})
	}
	for _, p := range o.File.Paused {
		targets = append(targets, &target{pipeline: p, paused: true, options: &o})
	}
	slices.SortFunc(targets, func(a, b *target) int { return a.pipeline.Line - b.pipeline.Line })
	s := newSession(c, o.Report)
	plan := &Plan{Set: o.Set, Changes: []Change{}, options: o}
	if err := plan.missingAttributes(ctx, s); err != nil {
		return nil, err
	}
	gone, err := s.obsolete(ctx, &o, targets)
	if err != nil {
		return nil, err
	}
	comparisons := make([]comparison, len(targets))
	_, err = s.each(ctx, "compared", len(targets)+len(gone), func(ctx context.Context, i int) (err error) {
		if i >= len(targets) {
			return s.confirm(ctx, &gone[i-len(targets)], o.Set)
		}
		if comparisons[i], err = targets[i].compare(ctx, s); err != nil {
			return fmt.Errorf("pipeline %s: %w", targets[i].pipeline.Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	gone = slices.DeleteFunc(gone, func(name string) bool { return name == "" })
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

func (t *target) compare(ctx context.Context, s *session) (comparison, error) {
	existing, err := s.describe(ctx, temporal.ID(t.pipeline.Name))
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
	t.pause = existing.Schedule.State
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
	switch owner := ownerOf(existing); owner {
	case t.options.Set:
		return t.schedule(&existing.Schedule)
	case "":
		return nil, fmt.Errorf("the schedule %s exists, but was not created by apply: rename the pipeline, or delete the schedule", temporal.ID(t.pipeline.Name))
	default:
		return nil, fmt.Errorf("the schedule %s belongs to the set %q, not to %q: rename the pipeline, or name the right set with --set", temporal.ID(t.pipeline.Name), owner, t.options.Set)
	}
}

// ownerOf returns the name of the set that a schedule belongs to, or "".
func ownerOf(s *client.ScheduleDescription) string { return text(s.Memo.GetFields()[memoSet]) }

// obsolete returns the names of the pipelines that have a schedule of the set in Temporal's list, but are no longer in the file.
// The list may be some seconds old.
func (s *session) obsolete(ctx context.Context, o *Options, targets []*target) ([]string, error) {
	known := map[string]bool{}
	for _, t := range targets {
		known[t.pipeline.Name] = true
	}
	var names []string
	// The SDK's list ends at an error and at an empty page, even if others follow.
	request := &workflowservice.ListSchedulesRequest{Namespace: o.Namespace, MaximumPageSize: cmp.Or(o.pageSize, listPage)}
	for {
		var page *workflowservice.ListSchedulesResponse
		err := s.call(ctx, func(ctx context.Context) (err error) {
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			page, err = s.client.WorkflowService().ListSchedules(ctx, request)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list the schedules: %w", err)
		}
		for _, entry := range page.GetSchedules() {
			name, ok := strings.CutPrefix(entry.GetScheduleId(), temporal.ID(""))
			if ok && !known[name] && text(entry.GetMemo().GetFields()[memoSet]) == o.Set {
				names = append(names, name)
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			slices.Sort(names)
			return slices.Compact(names), nil
		}
	}
}

// confirm clears the name of a pipeline from an old list if it no longer has a schedule of the set.
func (s *session) confirm(ctx context.Context, name *string, set string) error {
	existing, err := s.describe(ctx, temporal.ID(*name))
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("describe the schedule %s: %w", temporal.ID(*name), err)
	}
	if err != nil || ownerOf(existing) != set {
		*name = ""
	}
	return nil
}
