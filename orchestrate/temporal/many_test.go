package temporal_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/apply"
)

// BenchmarkManyDue makes the schedules of many pipelines due at the same time, on one worker. The syncs do nothing, so the time is
// that of Temporal, which runs on the same machine, and of the worker:
//
//	go test . -run '^$' -bench ManyDue -benchtime 1x
func BenchmarkManyDue(b *testing.B) {
	const many = 1000
	folder := b.TempDir()
	content := "pipelines:\n"
	for i := range many {
		content += fmt.Sprintf("  due-%d: {config: {}, destination: %q, schedule: {cron: '0 0 1 1 *'}}\n", i, "jsonl:"+filepath.Join(folder, fmt.Sprint(i)))
	}
	file, err := pipeline.Parse("pipelines.yaml", []byte(content))
	if err != nil {
		b.Fatal(err)
	}
	t, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{apply.DialOption()}}})
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close()
	var ended atomic.Int64
	service := &fake{sync: func(context.Context, int, connector.SyncOptions) error {
		ended.Add(1)
		return nil
	}}
	w := temporal.NewWorker(t, server.Namespace, temporal.Options{File: file, Service: service, Destinations: all.Kinds(), TaskQueue: b.Name(),
		Getenv: func(string) string { return "" }, HeartbeatTimeout: 5 * time.Minute, HeartbeatInterval: time.Minute})
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	defer w.Stop()
	plan, err := apply.Make(b.Context(), t, apply.Options{File: file, Set: b.Name(), TaskQueue: b.Name(), CatchUp: time.Hour, Now: time.Now(), Namespace: server.Namespace})
	if err != nil {
		b.Fatal(err)
	}
	if err := plan.Apply(b.Context(), t, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		begun, before := time.Now(), ended.Load()
		var group errgroup.Group
		group.SetLimit(16)
		for i := range many {
			group.Go(func() error {
				handle := server.Client.ScheduleClient().GetHandle(b.Context(), temporal.ID(fmt.Sprintf("due-%d", i)))
				return handle.Trigger(b.Context(), client.ScheduleTriggerOptions{})
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
		for ended.Load()-before < many {
			time.Sleep(100 * time.Millisecond)
		}
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(many/time.Since(begun).Seconds(), "syncs/s")
		b.ReportMetric(float64(memory.Sys)/1e6, "MB")
	}
}
