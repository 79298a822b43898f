package stripe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/hint"
)

// maxCheck bounds a Check. Probing every stream takes a few seconds.
const maxCheck = time.Minute

// Check reports whether a configuration works and which streams its key can read.
func (s *Source) Check(ctx context.Context, req connector.CheckRequest) (connector.CheckResult, error) {
	limited, cancel := context.WithTimeout(ctx, maxCheck)
	defer cancel()
	c, streams, err := s.pin(limited, req.Config)
	if err != nil {
		return checkFailed(err)
	}
	names := req.Streams
	if len(names) == 0 {
		names = streams.Names()
	}
	for i, name := range names {
		if streams.Find(name) == nil {
			return connector.CheckResult{}, connector.Invalid(connector.Violation{
				Field:       fmt.Sprintf("streams[%d]", i),
				Description: fmt.Sprintf("unknown stream %s.%s", hint.Quote(name), hint.Nearest(name, streams.Names())),
			})
		}
	}
	availability, err := s.probe(limited, c, streams, names)
	if errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil && err != nil {
		return checkFailed(&connector.Failure{
			Class: connector.Transient, Retryable: true,
			Message: fmt.Sprintf("Stripe didn't respond for all %d streams within %s. Check fewer streams at once, or try again later.", len(names), maxCheck),
		})
	}
	if err != nil {
		return checkFailed(err)
	}
	attributes := map[string]string{"mode": c.Mode(), "api_version": c.APIVersion}
	version, err := s.accountVersion(ctx, c)
	if emit.EndsRead(err) {
		return checkFailed(err)
	}
	if version != "" {
		attributes["account_api_version"] = version
	}
	if advice := c.VersionAdvice(version); advice != "" {
		attributes["advice"] = advice
	}
	return connector.CheckResult{
		Streams:           availability,
		AccountAttributes: attributes,
		Problems:          noStreamAvailable(availability),
	}, nil
}

// checkFailed turns err into the result of a Check. Only context errors and bugs remain errors.
func checkFailed(err error) (connector.CheckResult, error) {
	failure, ok := connector.FailureIn(err)
	if !ok || failure.Class == connector.System {
		return connector.CheckResult{}, err
	}
	return connector.CheckResult{Problems: []*connector.Failure{failure}}, nil
}

// noStreamAvailable returns the reason of the first stream as the problem, or nil if at least one stream is
// available.
func noStreamAvailable(availability []connector.StreamAvailability) []*connector.Failure {
	for _, a := range availability {
		if a.Availability == connector.Available {
			return nil
		}
	}
	return []*connector.Failure{availability[0].Reason}
}
