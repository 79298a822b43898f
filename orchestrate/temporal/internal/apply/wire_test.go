package apply_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
)

// before returns an interceptor that calls do before the first RPC with a request of the same type as r.
func before[R any](do func(r R)) grpc.UnaryClientInterceptor {
	var once sync.Once
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if r, ok := request.(R); ok {
			once.Do(func() { do(r) })
		}
		return invoke(ctx, method, request, reply, cc, opts...)
	}
}

// TestPausedMeanwhile pauses a schedule between the moment at which apply looks at it and that at which it changes it.
func TestPausedMeanwhile(t *testing.T) {
	pause := func(t *testing.T, name, note string) {
		t.Helper()
		if err := handle(t, name).Pause(t.Context(), client.SchedulePauseOptions{Note: note}); err != nil {
			t.Error(err)
		}
	}
	worker := temporal.PausedByWorker + "AUTH: the key is wrong"
	for name, c := range map[string]struct {
		paused string // before the comparison
		change func(*apply.Options)
		fields string // of the pipeline
		note   string // of the pause
		fails  string
	}{
		"by-worker":            {"", func(o *apply.Options) { o.CatchUp = 2 * time.Hour }, "", worker, ""},
		"by-hand":              {"", func(o *apply.Options) { o.CatchUp = 2 * time.Hour }, "", "until Monday", ""},
		"of-a-changed-one":     {"", func(*apply.Options) {}, ", retry: {attempts: 2}", worker, ""},
		"of-a-resumed-one":     {"until Sunday", func(o *apply.Options) { o.Resume = true }, "", "until Monday", "it was paused again meanwhile, and stays paused: until Monday"},
		"with-the-same-note":   {worker, func(*apply.Options) {}, ", retry: {attempts: 2}", worker, "it was paused again meanwhile"},
		"by-the-file-no-more":  {"paused: true in the pipeline file", func(*apply.Options) {}, "", "until Monday", "it was paused again meanwhile"},
		"of-what-stays-paused": {"until Sunday", func(o *apply.Options) { o.CatchUp = 2 * time.Hour }, "", "until Monday", ""},
	} {
		t.Run(name, func(t *testing.T) {
			applied(t, options(t, name+" "))
			if c.paused != "" {
				pause(t, name, c.paused)
			}
			o := options(t, name+" "+c.fields)
			c.change(&o)
			plan := makePlan(t, o)
			if len(plan.Changes) != 1 {
				t.Fatalf("got %+v, want one change", plan)
			}
			racing := connected(t, before(func(*workflowservice.UpdateScheduleRequest) { pause(t, name, c.note) }))
			err := plan.Apply(t.Context(), racing, nil)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
			if s := describe(t, name).Schedule.State; !s.Paused || s.Note != c.note {
				t.Errorf("got %+v, want it to stay paused", s)
			}
			o.Resume = false
			if again := makePlan(t, o); c.fails == "" && len(again.Changes) > 0 {
				t.Errorf("still to do: %+v", again.Changes)
			}
		})
	}
}

// TestInterference applies a file while other things happen to its schedules, and while RPCs fail and answers are lost.
func TestInterference(t *testing.T) {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	remove := func(t *testing.T, name string) {
		t.Helper()
		must(t, handle(t, name).Delete(t.Context()))
	}
	create := func(t *testing.T, set string, pipelines ...string) {
		t.Helper()
		o := options(t, pipelines...)
		o.Set = set
		plan, err := apply.Make(t.Context(), connected(t), o)
		if err == nil {
			err = plan.Apply(t.Context(), connected(t), nil)
		}
		must(t, err)
	}
	for name, c := range map[string]struct {
		interfere func(*testing.T) grpc.UnaryClientInterceptor
		fails     string
	}{
		"deleted before its update": {func(t *testing.T) grpc.UnaryClientInterceptor {
			return before(func(*workflowservice.UpdateScheduleRequest) { remove(t, "old") })
		}, ""},
		"deleted before its deletion": {func(t *testing.T) grpc.UnaryClientInterceptor {
			return before(func(*workflowservice.DeleteScheduleRequest) { remove(t, "gone") })
		}, ""},
		"created by another apply": {func(t *testing.T) grpc.UnaryClientInterceptor {
			return before(func(*workflowservice.CreateScheduleRequest) {
				create(t, t.Name(), "old , retry: {attempts: 2}", "new ")
			})
		}, ""},
		"created by another set": {func(t *testing.T) grpc.UnaryClientInterceptor {
			return before(func(*workflowservice.CreateScheduleRequest) { create(t, "stranger", "new ") })
		}, `belongs to the set "stranger"`},
		"conflicts": {func(*testing.T) grpc.UnaryClientInterceptor {
			return fails[*workflowservice.UpdateScheduleRequest](serviceerror.NewFailedPrecondition("mismatched conflict token"), false)
		}, ""},
		"lost requests": {func(*testing.T) grpc.UnaryClientInterceptor {
			return fails[scheduled](serviceerror.NewDeadlineExceeded("planted"), false)
		}, ""},
		"lost answers": {func(*testing.T) grpc.UnaryClientInterceptor {
			return fails[scheduled](serviceerror.NewDeadlineExceeded("planted"), true)
		}, ""},
		"refused": {func(*testing.T) grpc.UnaryClientInterceptor {
			return fails[*workflowservice.UpdateScheduleRequest](serviceerror.NewPermissionDenied("planted", ""), false)
		}, "update its schedule: planted"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			applied(t, options(t, "old ", "gone "))
			o := options(t, "old , retry: {attempts: 2}", "new ")
			eventually(t, func() bool { return len(makePlan(t, o).Changes) == 3 })
			err := makePlan(t, o).Apply(t.Context(), connected(t, c.interfere(t)), nil)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
				return
			}
			must(t, err)
			check(t, words(t, makePlan(t, o)))
		})
	}
}

// scheduled is a request for a schedule.
type scheduled interface{ GetScheduleId() string }

// fails returns an interceptor with which the first RPC of each method with a request of type R fails, before or after it is done.
func fails[R any](with error, done bool) grpc.UnaryClientInterceptor {
	failure := serviceerror.ToStatus(with).Err() // as it arrives
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		_, ok := request.(R)
		mu.Lock()
		first := ok && !seen[method]
		seen[method] = seen[method] || ok
		mu.Unlock()
		if first && !done {
			return failure
		}
		err := invoke(ctx, method, request, reply, cc, opts...)
		if first && err == nil {
			return failure
		}
		return err
	}
}

// TestPages lists schedules in small pages, of which one is empty and one fails.
func TestPages(t *testing.T) {
	applied(t, options(t, "a ", "b ", "c ", "d ", "e "))
	o := options(t, "x ").WithPageSize(4)
	o.DeleteAll = true
	var pages, empty int
	disturb := func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		r, ok := request.(*workflowservice.ListSchedulesRequest)
		if !ok {
			return invoke(ctx, method, request, reply, cc, opts...)
		}
		switch pages++; {
		case pages == 1:
			return serviceerror.ToStatus(serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "planted")).Err()
		case empty == 0 && len(r.GetNextPageToken()) > 0:
			empty++
			reply.(*workflowservice.ListSchedulesResponse).NextPageToken = r.GetNextPageToken()
			return nil
		}
		return invoke(ctx, method, request, reply, cc, opts...)
	}
	c := connected(t, disturb)
	eventually(t, func() bool { // the list is a little late
		plan, err := apply.Make(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(words(t, plan)) == "[create x delete a delete b delete c delete d delete e]"
	})
	if empty == 0 || pages < 4 {
		t.Errorf("got %d pages, %d of them empty", pages, empty)
	}
}

// TestInterrupted stops after the first changes and applies again.
func TestInterrupted(t *testing.T) {
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("p%d ", i))
	}
	o := options(t, names...)
	ctx, stop := context.WithCancel(t.Context())
	var once sync.Once
	err := makePlan(t, o).Apply(ctx, connected(t), func(apply.Change) { once.Do(stop) })
	if err == nil || !strings.Contains(err.Error(), "of 20 changes, apply again to continue") {
		t.Errorf("got %v, want an error with the number of changes", err)
	}
	if got := applied(t, o); len(got) == 0 || len(got) >= len(names) {
		t.Errorf("%d changes were left, want some of %d", len(got), len(names))
	}
}
