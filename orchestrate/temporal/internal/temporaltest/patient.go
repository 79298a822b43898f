package temporaltest

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"  //nolint:depguard // those of the Temporal server
	"google.golang.org/grpc/status" //nolint:depguard // as above
)

// patience is how long a call may take, with its retries. The SDK allows ten seconds, in which a busy machine may not respond.
const patience = 3 * time.Minute

// patient makes a call with a longer deadline, and repeats it after a transient error. Requests carry IDs, by which the server
// recognizes repeated ones. Long polls, which end and start again all the time, keep their deadlines.
func patient(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if strings.Contains(method, "/Poll") {
		return invoke(ctx, method, request, reply, conn, options...)
	}
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})()
	for {
		err := invoke(longer, method, request, reply, conn, options...)
		switch status.Code(err) {
		case codes.DeadlineExceeded, codes.Unavailable:
		default:
			return err
		}
		select {
		case <-longer.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
