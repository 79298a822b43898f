package timetable_test

import (
	"context"
	"testing"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/stripe-connector/stripe-connector/orchestrate/temporal/internal/temporaltest"
)

// compiler computes times as Temporal does.
type compiler struct {
	times  *temporaltest.Times
	client client.Client
	sent   *schedulepb.ScheduleSpec
}

func newCompiler(t *testing.T) *compiler {
	t.Helper()
	c := &compiler{times: temporaltest.NewTimes(t, "../temporaltest/server")}
	// The SDK converts a specification when it sends it. This client keeps it instead.
	capture := func(_ context.Context, _ string, request, _ any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
		if create, ok := request.(*workflowservice.CreateScheduleRequest); ok {
			c.sent = create.GetSchedule().GetSpec()
		}
		return nil
	}
	var err error
	c.client, err = client.NewLazyClient(client.Options{ConnectionOptions: client.ConnectionOptions{
		DialOptions: []grpc.DialOption{grpc.WithUnaryInterceptor(capture)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	return c
}

// of returns the times of a specification in the half-open interval [from, to).
func (c *compiler) of(t *testing.T, spec client.ScheduleSpec, from, to time.Time) []time.Time {
	t.Helper()
	_, err := c.client.ScheduleClient().Create(t.Context(), client.ScheduleOptions{ID: "x", Spec: spec, Action: &client.ScheduleWorkflowAction{Workflow: "x", TaskQueue: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	return c.times.Of(t, c.sent, from, to)
}
