package apply

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// wire is what the SDK hides about the RPCs of one call.
type wire struct {
	// token is the conflict token of the last description. The SDK updates schedules without it, so a pause between its
	// description and its update would be lost.
	token []byte
	// err is the last error. The SDK retries until its own deadline, and then returns that instead.
	err error
}

type wireKey struct{}

// DialOption returns an option for the connections of clients that [Make] and [Plan.Apply] use. They need it.
func DialOption() grpc.DialOption { return grpc.WithChainUnaryInterceptor(observe) }

func observe(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	w, ok := ctx.Value(wireKey{}).(*wire)
	if !ok {
		return invoke(ctx, method, request, reply, cc, opts...)
	}
	if update, ok := request.(*workflowservice.UpdateScheduleRequest); ok {
		update.ConflictToken = w.token
	}
	w.err = invoke(ctx, method, request, reply, cc, opts...)
	if description, ok := reply.(*workflowservice.DescribeScheduleResponse); ok && w.err == nil {
		w.token = description.GetConflictToken()
	}
	return w.err
}
