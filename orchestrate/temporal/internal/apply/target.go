package apply

import (
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/timetable"
)

// The memo of a schedule, which can't change, and that of the workflows that it starts, which can.
const (
	memoSet        = "stripe_connector_set"
	memoDefinition = "stripe_connector_definition" // the pipeline's fingerprint
	memoSchedule   = "stripe_connector_schedule"   // the schedule in words
)

// pausedByFile is the note of a schedule that is paused because the file says so.
const pausedByFile = "paused: true in the pipeline file"

// Years for which specifications list the runs around clock changes: this one and more. They are renewed when fewer than
// minYears follow.
const (
	moreYears = 3
	minYears  = 1
)

// target is what the schedule of a pipeline should be.
type target struct {
	pipeline pipeline.Pipeline
	paused   bool
	options  *Options
	// pause is the state in which the comparison found the schedule, or nil.
	pause *client.ScheduleState
}

// schedule returns the schedule to create or, if there is one already, what to change it to.
func (t *target) schedule(existing *client.Schedule) (*client.Schedule, error) {
	var current *client.ScheduleSpec
	if existing != nil {
		current = existing.Spec
	}
	spec, err := t.spec(current)
	if err != nil {
		return nil, err
	}
	return &client.Schedule{
		Spec: spec,
		Action: &client.ScheduleWorkflowAction{
			ID: temporal.ID(t.pipeline.Name) + ":due", Workflow: temporal.WorkflowDue, Args: []any{t.pipeline.Name}, TaskQueue: t.options.TaskQueue,
			Memo: map[string]any{memoDefinition: t.pipeline.Fingerprint(), memoSchedule: t.pipeline.Schedule.String()},
		},
		Policy: &client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: t.options.CatchUp},
		State:  t.state(existing),
	}, nil
}

// spec returns when the schedule should run. It returns current if that is equal to one that an earlier year made and that
// still covers enough years.
func (t *target) spec(current *client.ScheduleSpec) (*client.ScheduleSpec, error) {
	year := t.options.Now.Year()
	var latest *client.ScheduleSpec
	for age := range moreYears - minYears + 1 {
		spec, err := timetable.Spec(t.pipeline.Name, t.pipeline.Schedule, timetable.Years{First: year - age, Last: year - age + moreYears})
		if err != nil {
			return nil, err
		}
		spec.Jitter = t.options.Jitter
		if latest == nil {
			latest = &spec
		}
		if current == nil || canonical(current) == canonical(&spec) {
			return &spec, nil
		}
	}
	return latest, nil
}

// state returns whether the schedule should be paused. A pause ends as it began: by the file, or by the operator
// who paused it by hand. What the worker paused may work again once the pipeline's definition has changed. A pause that
// the comparison didn't see never ends.
func (t *target) state(existing *client.Schedule) *client.ScheduleState {
	wanted := &client.ScheduleState{Paused: t.paused}
	if t.paused {
		wanted.Note = pausedByFile
	}
	if existing == nil {
		return wanted
	}
	now := existing.State
	if !now.Paused {
		if !t.paused {
			wanted.Note = now.Note
		}
		return wanted
	}
	seen := t.pause != nil && t.pause.Paused && t.pause.Note == now.Note
	changed := remembered(existing, memoDefinition) != t.pipeline.Fingerprint()
	resumed := t.options.Resume || now.Note == pausedByFile || changed && strings.HasPrefix(now.Note, temporal.PausedByWorker)
	if !t.paused && seen && resumed {
		return wanted
	}
	return &client.ScheduleState{Paused: true, Note: now.Note}
}

// triggers reports whether a new schedule should run at once: if an interval counts from the first run.
func (t *target) triggers() bool {
	i, ok := t.pipeline.Schedule.Interval()
	return ok && i.Anchor.IsZero() && !t.paused
}

// Options determine what to apply.
type Options struct {
	File *pipeline.File
	// Namespace is the client's namespace.
	Namespace string
	// Set is the name of the set of schedules that the file defines.
	Set string
	// TaskQueue is the task queue of the file's workers.
	TaskQueue string
	// CatchUp is how late a run may start if the Temporal service was down when it was due. Later ones are skipped.
	CatchUp time.Duration
	// Jitter is the maximum of the random time by which each run starts later.
	Jitter time.Duration
	// Resume resumes schedules that were paused by hand or by the worker.
	Resume bool
	// DeleteAll allows deleting all schedules of the set.
	DeleteAll bool
	// Now is the current time.
	Now time.Time
	// Report, if not nil, is called from time to time with the progress.
	Report func(Progress)

	pageSize int32 // zero means listPage
}
