package airbyte

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// protocolVersion is the version of the Airbyte protocol that the messages follow.
const protocolVersion = "0.18.0"

// ErrReported is returned by a command that failed and has reported why on its output.
var ErrReported = errors.New("the command failed, as its output says")

// Connector runs the commands of an Airbyte source. A command writes its messages to Out. It returns an error if the process must
// exit with a code other than 0: [ErrReported], or an error from writing to Out.
type Connector struct {
	Source  connector.Source
	Dialect Dialect
	Streams []Stream // in the order of the catalog
	Out     io.Writer
	Now     func() time.Time // nil means time.Now
	Debug   bool             // log progress
}

// dialect adds the steps that are common to all dialects.
type dialect struct{ Dialect }

func (c *Connector) output() *output {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	return &output{to: c.Out, now: now}
}

// Spec prints the schema of the configuration.
func (c *Connector) Spec() error {
	return c.output().write(message{Type: "SPEC", Spec: &specBody{
		ProtocolVersion: protocolVersion, DocumentationURL: c.Source.Spec().DocumentationURL, SupportsIncremental: true,
		ConnectionSpecification: c.Dialect.ConfigSchema(),
	}})
}

// Check prints whether a configuration works. It logs the streams that the key can't read. They aren't failures, as long as the key
// can read others.
func (c *Connector) Check(ctx context.Context, config json.RawMessage) error {
	out := c.output()
	result, err := c.check(ctx, out, config)
	if err != nil {
		return reported(err, out.failure("", failureOf(ctx, err)))
	}
	status := &connectionStatus{Status: "SUCCEEDED"}
	if len(result.Problems) > 0 {
		status = &connectionStatus{Status: "FAILED", Message: result.Problems[0].Message}
	}
	for _, s := range result.Streams {
		if name, ok := c.nameOf(s.Stream); ok && s.Availability == connector.Unavailable && status.Status == "SUCCEEDED" {
			if err := out.log("WARN", "The key can't read the stream "+name+". "+s.Reason.Message); err != nil {
				return err
			}
		}
	}
	return out.write(message{Type: "CONNECTION_STATUS", ConnectionStatus: status})
}

func (c *Connector) check(ctx context.Context, out *output, config json.RawMessage) (connector.CheckResult, error) {
	translated, _, err := c.config(out, config)
	if failure, ok := connector.FailureIn(err); ok {
		return connector.CheckResult{Problems: []*connector.Failure{failure}}, nil
	}
	if err != nil {
		return connector.CheckResult{}, err
	}
	return c.Source.Check(ctx, connector.CheckRequest{Config: translated})
}

// config translates a configuration, and logs the notes about it.
func (c *Connector) config(out *output, given json.RawMessage) (config connector.Config, account string, err error) {
	out.secrets = secretsOf(c.Dialect.ConfigSchema(), given)
	config, account, notes, err := c.Dialect.Config(given)
	if err != nil {
		return config, "", err
	}
	for _, note := range notes {
		if err := out.log("INFO", note); err != nil {
			return config, "", err
		}
	}
	return config, account, nil
}

// Discover prints the streams that the key can read.
func (c *Connector) Discover(ctx context.Context, config json.RawMessage) error {
	out := c.output()
	found, err := c.discover(ctx, out, config)
	if err != nil {
		return reported(err, out.failure("", failureOf(ctx, err)))
	}
	return out.write(message{Type: "CATALOG", Catalog: &found})
}

func (c *Connector) discover(ctx context.Context, out *output, given json.RawMessage) (catalog, error) {
	config, _, err := c.config(out, given)
	if err != nil {
		return catalog{}, err
	}
	offered, err := c.Source.Discover(ctx, connector.DiscoverRequest{Config: config, OnlyAvailable: true})
	if err != nil {
		return catalog{}, err
	}
	found := catalog{Streams: []catalogStream{}}
	for _, as := range c.Streams {
		i := slices.IndexFunc(offered.Streams, func(s connector.Stream) bool { return s.Name == as.Source })
		if i < 0 {
			continue
		}
		described, err := describe(as, offered.Streams[i])
		if err != nil {
			return catalog{}, err
		}
		found.Streams = append(found.Streams, described)
	}
	return found, nil
}

// Fail reports that a command failed before it began, for example because a file of the platform can't be read.
func (c *Connector) Fail(err error) error {
	return reported(err, c.output().failure("", invalid("%v", err)))
}

// nameOf returns Airbyte's name for a stream of the source, and reports whether the stream is offered.
func (c *Connector) nameOf(source string) (string, bool) {
	i := slices.IndexFunc(c.Streams, func(s Stream) bool { return s.Source == source })
	if i < 0 {
		return "", false
	}
	return c.Streams[i].Name, true
}

// failureOf returns err as a Failure for the user.
func failureOf(ctx context.Context, err error) *connector.Failure {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) || errors.Is(err, context.Canceled) {
		return interrupted()
	}
	return connector.AsFailure(err)
}

// interrupted is the failure of a sync that was asked to end.
func interrupted() *connector.Failure {
	return &connector.Failure{Class: connector.Transient, Retryable: true, Message: "The sync was asked to end before it was complete. The next one resumes from the last state."}
}

// reported returns the error for a command that failed with err. written is the error of reporting err on the output.
func reported(err, written error) error {
	if written != nil {
		return written
	}
	return errors.Join(ErrReported, err)
}
