package apply_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
)

// BenchmarkMany applies many schedules, plans again, and deletes all but one. Much of the time is that of Temporal, which runs on
// the same machine:
//
//	go test ./internal/apply -run '^$' -bench 'Many$' -benchtime 1x
func BenchmarkMany(b *testing.B) {
	const many = 1000
	c := connected(b)
	file := func(n int) *pipeline.File {
		content := "pipelines:\n"
		for i := range n {
			content += fmt.Sprintf("  many-%d: {config: {}, destination: 'sqlite:x.db', schedule: {cron: '%d %d 1 1 *', time_zone: Europe/Berlin}}\n", i, i%60, i%24)
		}
		f, err := pipeline.Parse("pipelines.yaml", []byte(content))
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	step := func(n, changes int, name string) {
		o := apply.Options{File: file(n), Set: "many", TaskQueue: "queue", CatchUp: time.Hour, Now: now, Namespace: server.Namespace}
		for {
			begun := time.Now()
			plan, err := apply.Make(b.Context(), c, o)
			if err != nil {
				b.Fatal(err)
			}
			if len(plan.Changes) < changes { // lists of schedules are a little late
				continue
			}
			b.ReportMetric(time.Since(begun).Seconds(), "s/plan-"+name)
			begun = time.Now()
			if err := plan.Apply(b.Context(), c, nil); err != nil {
				b.Fatal(err)
			}
			if changes > 0 {
				b.ReportMetric(time.Since(begun).Seconds(), "s/apply-"+name)
			}
			if len(plan.Changes) > changes {
				b.Fatalf("%s: %d changes, want %d", name, len(plan.Changes), changes)
			}
			return
		}
	}
	for b.Loop() {
		step(many, many, "new")
		step(many, 0, "equal")
		step(1, many-1, "gone")
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.Sys)/1e6, "MB")
		o := apply.Options{File: file(1), Set: "many", TaskQueue: "queue", CatchUp: time.Hour, Now: now, Namespace: server.Namespace}
		plan, err := apply.Make(b.Context(), c, o)
		if err != nil || len(plan.Changes) > 0 {
			b.Fatalf("got %+v with error %v", plan, err)
		}
	}
}
