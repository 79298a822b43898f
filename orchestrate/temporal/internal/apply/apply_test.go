package apply_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/temporaltest"
)

// server is the Temporal server of this package's tests. No worker runs, so workflows that it starts stay where they are.
var server temporaltest.Server

func TestMain(m *testing.M) { temporaltest.Main(m, "../temporaltest/server", &server) }

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// options returns options for a file with these pipelines, each of which is a line with its name and more fields. The
// set is named after the test.
func options(t *testing.T, pipelines ...string) apply.Options {
	t.Helper()
	content := "pipelines:\n"
	for _, p := range pipelines {
		name, fields, _ := strings.Cut(p, " ")
		content += fmt.Sprintf("  %s: {config: {api_key: '${KEY}'}, destination: 'sqlite:x.db'%s}\n", prefix(t)+name, fields)
	}
	file, err := pipeline.Parse("pipelines.yaml", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return apply.Options{File: file, Set: t.Name(), TaskQueue: "queue", CatchUp: time.Hour, Now: now, Namespace: server.Namespace}
}

// connected returns a client that is suited for Make and Apply. Its RPCs pass through between, if any.
func connected(tb testing.TB, between ...grpc.UnaryClientInterceptor) client.Client {
	tb.Helper()
	c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace, Identity: "test", ConnectionOptions: client.ConnectionOptions{
		DialOptions: []grpc.DialOption{apply.DialOption(), grpc.WithChainUnaryInterceptor(between...)}}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// prefix begins the names of a test's pipelines.
func prefix(t *testing.T) string {
	return strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) + "-"
}

func makePlan(t *testing.T, o apply.Options) *apply.Plan {
	t.Helper()
	plan, err := apply.Make(t.Context(), connected(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// applied makes a plan, applies it, and checks that nothing is left to do. It returns the changes as words.
func applied(t *testing.T, o apply.Options) []string {
	t.Helper()
	plan := makePlan(t, o)
	if err := plan.Apply(t.Context(), connected(t), nil); err != nil {
		t.Fatal(err)
	}
	o.Resume = false
	if again := makePlan(t, o); len(again.Changes) > 0 {
		t.Errorf("still to do after applying: %+v", again.Changes)
	}
	return words(t, plan)
}

// words formats changes such as "update acme: schedule, times".
func words(t *testing.T, plan *apply.Plan) []string {
	t.Helper()
	var all []string
	for _, c := range plan.Changes {
		text := string(c.Action) + " " + strings.TrimPrefix(c.Pipeline, prefix(t))
		if c.Action == apply.Update {
			var names []string
			for _, f := range c.Fields {
				names = append(names, f.Name)
			}
			text += ": " + strings.Join(names, ", ")
		}
		all = append(all, text)
	}
	return all
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func handle(t *testing.T, name string) client.ScheduleHandle {
	t.Helper()
	return server.Client.ScheduleClient().GetHandle(t.Context(), temporal.ID(prefix(t)+name))
}

func describe(t *testing.T, name string) *client.ScheduleDescription {
	t.Helper()
	d, err := handle(t, name).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eventually calls try until it returns true: lists of schedules are a little late.
func eventually(t *testing.T, try func() bool) {
	t.Helper()
	for !try() {
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestLife applies a file, changes it in every field that a schedule has, and deletes its pipelines again.
func TestLife(t *testing.T) {
	o := options(t, "cron , schedule: {cron: '30 2 * * *', time_zone: Europe/Berlin}", "every , schedule: {every: 6h, anchor: '13:00'}",
		"dated , schedule: {every: 6h, anchor: '2031-01-31T13:00:00Z'}", "plain ", "follow , schedule: follow", "idle , paused: true")
	check(t, applied(t, o), "create cron", "create every", "create dated", "create plain", "create follow", "create idle")

	d := describe(t, "cron")
	action, _ := d.Schedule.Action.(*client.ScheduleWorkflowAction)
	if d.Schedule.Policy.Overlap != enumspb.SCHEDULE_OVERLAP_POLICY_SKIP || d.Schedule.Policy.CatchupWindow != time.Hour || d.Schedule.State.Paused ||
		action.Workflow != temporal.WorkflowDue || action.TaskQueue != "queue" || len(action.Args) != 1 {
		t.Errorf("got %+v with %+v", d.Schedule, action)
	}
	if got := describe(t, "dated").Info.NextActionTimes[0]; !got.Equal(time.Date(2031, 1, 31, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("the first slot is at %s", got)
	}
	if !describe(t, "idle").Schedule.State.Paused {
		t.Error("idle isn't paused")
	}
	eventually(t, func() bool { return describe(t, "plain").Info.NumActions == 1 }) // an interval begins with a run

	o.CatchUp = 2 * time.Hour
	check(t, applied(t, o), "update cron: catch_up", "update every: catch_up", "update dated: catch_up", "update plain: catch_up", "update follow: catch_up", "update idle: catch_up")
	o.Jitter = time.Minute
	o.TaskQueue = "other"
	if got := applied(t, o); len(got) != 6 || got[0] != "update cron: jitter, task_queue" {
		t.Errorf("got %s", got)
	}
	next := options(t, "cron , schedule: {cron: '30 2 * * *', time_zone: Europe/Paris}", "every , schedule: {every: 6h, anchor: '13:30'}", "plain , retry: {attempts: 4}",
		"follow , schedule: follow, paused: true", "idle ", "new ")
	next.CatchUp, next.Jitter, next.TaskQueue = o.CatchUp, o.Jitter, o.TaskQueue
	eventually(t, func() bool { return len(makePlan(t, next).Changes) == 7 })
	check(t, applied(t, next), "update cron: schedule, times, definition", "update every: schedule, times, definition", "update plain: definition", "update follow: paused",
		"update idle: paused", "create new", "delete dated")

	for name, edit := range map[string]func(*client.Schedule){
		"times":    func(s *client.Schedule) { s.Spec.Intervals[0].Offset += time.Second },
		"overlap":  func(s *client.Schedule) { s.Policy.Overlap = enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL },
		"paused":   func(s *client.Schedule) { s.State.LimitedActions, s.State.RemainingActions = true, 3 },
		"workflow": func(s *client.Schedule) { s.Action.(*client.ScheduleWorkflowAction).Args = []any{"other"} },
	} {
		err := handle(t, "every").Update(t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			edit(&in.Description.Schedule)
			return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		check(t, applied(t, next), "update every: "+name)
	}
}

// TestOwners checks that apply changes and deletes nothing that it didn't create for the same set.
func TestOwners(t *testing.T) {
	mine, other := options(t, "a ", "b "), options(t, "c ", "d ")
	other.Set += "-other"
	applied(t, mine)
	applied(t, other)
	foreign := client.ScheduleOptions{ID: temporal.ID(prefix(t) + "foreign"), Action: &client.ScheduleWorkflowAction{Workflow: "x", TaskQueue: "x"}}
	if _, err := server.Client.ScheduleClient().Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	without := options(t, "b ")
	eventually(t, func() bool { return len(makePlan(t, without).Changes) == 1 })
	check(t, applied(t, without), "delete a")
	describe(t, "c")
	describe(t, "foreign")

	_, err := apply.Make(t.Context(), connected(t), options(t, "b ", "c ", "foreign "))
	for _, want := range []string{"c belongs to the set \"TestOwners-other\"", "foreign exists, but was not created by apply"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	disjoint := options(t, "x ")
	_, err = apply.Make(t.Context(), connected(t), disjoint)
	if err == nil || !strings.Contains(err.Error(), "all 1 would be deleted") {
		t.Errorf("got %v, want an error, since the set seems to belong to another file", err)
	}
	disjoint.DeleteAll = true
	check(t, applied(t, disjoint), "create x", "delete b")
}

// TestPausedByOthers checks when schedules resume that the file doesn't pause.
func TestPausedByOthers(t *testing.T) {
	o := options(t, "worker ", "hand ")
	applied(t, o)
	pause := func(name, note string) {
		t.Helper()
		if err := handle(t, name).Pause(t.Context(), client.SchedulePauseOptions{Note: note}); err != nil {
			t.Fatal(err)
		}
	}
	pause("worker", temporal.PausedByWorker+"AUTH: the key is wrong")
	pause("hand", "until Monday")
	plan := makePlan(t, o)
	if len(plan.Changes) > 0 || len(plan.Paused) != 2 || plan.Paused[0].Note != temporal.PausedByWorker+"AUTH: the key is wrong" {
		t.Errorf("got %+v, want no changes and two paused ones", plan)
	}
	// A change that isn't of the pipeline keeps both paused, and their notes.
	o.CatchUp = 3 * time.Hour
	check(t, applied(t, o), "update worker: catch_up", "update hand: catch_up")
	if s := describe(t, "hand").Schedule.State; !s.Paused || s.Note != "until Monday" {
		t.Errorf("got %+v", s)
	}
	// Only the worker's pause ends with a change of the pipeline.
	fixed := options(t, "worker , retry: {attempts: 2}", "hand , retry: {attempts: 2}")
	fixed.CatchUp = o.CatchUp
	check(t, applied(t, fixed), "update worker: paused, definition", "update hand: definition")
	if s := describe(t, "worker").Schedule.State; s.Paused || s.Note != "" {
		t.Errorf("got %+v", s)
	}
	fixed.Resume = true
	check(t, applied(t, fixed), "update hand: paused")

	// A worker's pause between plan and apply is kept.
	fixed.Resume, fixed.CatchUp = false, time.Hour
	plan = makePlan(t, fixed)
	pause("worker", temporal.PausedByWorker+"CONFIG: wrong")
	if err := plan.Apply(t.Context(), connected(t), nil); err != nil {
		t.Fatal(err)
	}
	if s := describe(t, "worker").Schedule.State; !s.Paused || s.Note != temporal.PausedByWorker+"CONFIG: wrong" {
		t.Errorf("got %+v, want it to stay paused", s)
	}
}

// TestRenewal checks that the runs around clock changes are renewed before they end, and not every year.
func TestRenewal(t *testing.T) {
	o := options(t, "berlin , schedule: {cron: '30 2 * * *', time_zone: Europe/Berlin}", "utc , schedule: {cron: '30 2 * * *'}")
	applied(t, o)
	for years, want := range [][]string{nil, nil, nil, {"update berlin: times"}} {
		o.Now = now.AddDate(years, 0, 0)
		check(t, words(t, makePlan(t, o)), want...)
	}
}

// TestFollowersStop checks that a pipeline that follows is asked to end when it is paused, deleted, or follows no longer.
func TestFollowersStop(t *testing.T) {
	o := options(t, "paused , schedule: follow", "gone , schedule: follow", "cron , schedule: follow", "stays , schedule: follow", "idle ")
	applied(t, o)
	names := []string{"paused", "gone", "cron", "stays", "idle"}
	for _, name := range names {
		if _, err := server.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: temporal.ID(prefix(t) + name), TaskQueue: "queue"}, temporal.WorkflowPipeline, name); err != nil {
			t.Fatal(err)
		}
	}
	next := options(t, "paused , schedule: follow, paused: true", "cron , schedule: {cron: '0 0 1 1 *'}", "stays , schedule: follow, retry: {attempts: 2}", "idle , paused: true")
	eventually(t, func() bool { return len(makePlan(t, next).Changes) == 5 })
	applied(t, next)
	for _, name := range names {
		events := server.Client.GetWorkflowHistory(t.Context(), temporal.ID(prefix(t)+name), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		stopped := false
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			stopped = stopped || e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
		}
		if want := name != "stays" && name != "idle"; stopped != want {
			t.Errorf("%s: asked to stop is %t, want %t", name, stopped, want)
		}
	}
}

func TestImpossible(t *testing.T) {
	_, err := apply.Make(t.Context(), connected(t), options(t, "fraction , schedule: {every: 90.5s}", "long , schedule: {every: 100000h}", "good "))
	if err == nil || !strings.Contains(err.Error(), "fraction: the schedule \"every 1m30.5s\" has fractions") || !strings.Contains(err.Error(), "use a shorter one") {
		t.Errorf("got %v, want both errors", err)
	}
	var missing *serviceerror.NotFound
	if _, err := handle(t, "good").Describe(t.Context()); !errors.As(err, &missing) {
		t.Errorf("got %v, want nothing to be applied", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := apply.Make(ctx, connected(t), options(t, "good ")); err == nil {
		t.Error("no error without a server")
	}
}
