package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// Field is a field of a schedule that differs from the file. Old is empty if the schedule doesn't exist yet.
type Field struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new"`
}

// differences returns the fields in which two schedules differ. before may be nil.
func differences(before, after *client.Schedule) []Field {
	var old []Field
	if before != nil {
		old = facts(before)
	}
	var all []Field
	for i, f := range facts(after) {
		if before != nil {
			if f.Old = old[i].New; f.Old == f.New {
				continue
			}
		}
		all = append(all, f)
	}
	return all
}

// facts describes everything in a schedule that apply sets.
func facts(s *client.Schedule) []Field {
	f := []Field{
		{Name: "schedule", New: remembered(s, memoSchedule)},
		{Name: "times", New: summary(s.Spec)},
		{Name: "jitter", New: s.Spec.Jitter.String()},
		{Name: "paused", New: yesOrNo(s.State.Paused)},
		{Name: "overlap", New: strings.ToLower(s.Policy.Overlap.String())},
		{Name: "catch_up", New: s.Policy.CatchupWindow.String()},
	}
	if s.Policy.PauseOnFailure {
		f[4].New += ", pause on failure"
	}
	if s.State.LimitedActions {
		f[3].New += fmt.Sprintf(", %d runs remaining", s.State.RemainingActions)
	}
	action, ok := s.Action.(*client.ScheduleWorkflowAction)
	if !ok {
		action = &client.ScheduleWorkflowAction{}
	}
	return append(f, Field{Name: "workflow", New: fmt.Sprintf("%v%s as %s", action.Workflow, arguments(action.Args), action.ID)},
		Field{Name: "task_queue", New: action.TaskQueue}, Field{Name: "definition", New: remembered(s, memoDefinition)})
}

func yesOrNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// arguments formats the arguments of a workflow.
func arguments(all []any) string {
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = text(a)
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// remembered returns a member of the memo of the workflows that a schedule starts.
func remembered(s *client.Schedule, key string) string {
	action, ok := s.Action.(*client.ScheduleWorkflowAction)
	if !ok {
		return ""
	}
	return text(action.Memo[key])
}

// text returns a string as it was sent to or received from Temporal, or "" if there is none.
func text(value any) string {
	payload, ok := value.(*commonpb.Payload)
	if !ok {
		s, _ := value.(string)
		return s
	}
	if payload == nil {
		return ""
	}
	var s string
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &s); err != nil {
		return "?"
	}
	return s
}

// summary describes a specification in a few words, and with a hash that differs if anything in it does.
func summary(spec *client.ScheduleSpec) string {
	var words []string
	if n := len(spec.Calendars); n > 0 {
		words = append(words, fmt.Sprintf("calendars: %d", n))
	}
	for _, i := range spec.Intervals {
		if len(spec.Calendars) == 0 {
			words = append(words, fmt.Sprintf("every %s, offset %s", i.Every, i.Offset))
		}
	}
	if n := len(spec.Intervals); n > 0 && len(spec.Calendars) > 0 {
		words = append(words, fmt.Sprintf("single runs: %d", n))
	}
	if !spec.StartAt.IsZero() {
		words = append(words, "from "+spec.StartAt.UTC().Format(time.RFC3339))
	}
	sum := sha256.Sum256([]byte(canonical(spec)))
	return strings.Join(words, ", ") + " (" + hex.EncodeToString(sum[:3]) + ")"
}

// canonical formats a specification so that two are equal if and only if they mean the same, whether they have
// been sent to a server or not. It omits the jitter.
func canonical(spec *client.ScheduleSpec) string {
	var b strings.Builder
	fmt.Fprintln(&b, spec.TimeZoneName, spec.StartAt.UTC(), spec.EndAt.UTC(), spec.CronExpressions, spec.Intervals)
	for _, calendars := range [][]client.ScheduleCalendarSpec{spec.Calendars, spec.Skip} {
		for _, c := range calendars {
			fmt.Fprintln(&b, members(c.Second), members(c.Minute), members(c.Hour), members(c.DayOfMonth), members(c.Month), members(c.DayOfWeek), members(c.Year), c.Comment)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// members returns the numbers in ranges, in ascending order.
func members(ranges []client.ScheduleRange) []int {
	var all []int
	for _, r := range ranges {
		for n := r.Start; n <= max(r.Start, r.End); n += max(1, r.Step) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
