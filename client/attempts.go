package client

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// attempts is what [Client.Read] and [Client.Sync] repeat until nothing is left to do.
type attempts interface {
	// attempt does one Read of the streams that are left.
	attempt(ctx context.Context) (outcome, error)
	// remaining returns the streams for which another attempt would be useful.
	remaining() []chosen
	// observe passes on a message that the client created.
	observe(ctx context.Context, m *connectorv1.ReadResponse)
}

// outcome is how an attempt ended.
type outcome struct {
	orderly    bool // it ended with a summary, even if a stream failed
	progressed bool // it committed a new state
	over       bool // no further attempt may follow
}

// resume makes attempts until no stream has work left that another Read could do. An attempt may leave work without a
// failure: a service that shuts down ends the Read at a checkpoint, and another replica resumes from there. n is the
// number of streams.
func resume(ctx context.Context, p *pace, n int, a attempts) error {
	var failed error // the error of the first attempt in which a stream failed permanently
	for {
		out, err := a.attempt(ctx)
		if out.over {
			return cmp.Or(err, failed)
		}
		if err != nil && !isTemporary(err) {
			if !out.orderly {
				return err
			}
			failed = cmp.Or(failed, err)
		}
		left := a.remaining()
		if len(left) == 0 {
			return failed
		}
		if err == nil {
			err = workLeft(left)
		}
		if err := p.wait(ctx, err, out.progressed || len(left) < n, a.observe); err != nil {
			return err
		}
		n = len(left)
	}
}

// workLeft returns the reason for another Read after an attempt that left work without a failure.
func workLeft(rest []chosen) *Error {
	names := make([]string, len(rest))
	for i, c := range rest {
		names[i] = c.stream.GetName()
	}
	return &Error{Code: codes.OK, Failure: &connectorv1.Failure{
		Class:     connectorv1.FailureClass_FAILURE_CLASS_TRANSIENT,
		Message:   fmt.Sprintf("The service ended the Read with work left on %s.", strings.Join(names, ", ")),
		Retryable: true,
	}}
}
