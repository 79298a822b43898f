package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options are the options of [Run].
type Options struct {
	// Only are the names of the scenarios to run. Empty means all.
	Only []string
	// Timeout is how long one sync may take. Zero means a minute.
	Timeout time.Duration
	// RetryAfter is how long the service asks the client to wait before a retry. Zero means 2 seconds.
	RetryAfter time.Duration
	// Output, if set, receives what the client prints.
	Output io.Writer
	// Observe, if set, is called with each Result as it becomes known.
	Observe func(Result)

	settle func(folder string) // waits until the client has handled what the service has sent
}

// settleTime is enough for most clients to handle a few messages. Slower ones are tested less thoroughly.
const settleTime = 500 * time.Millisecond

// Result is the result of a scenario.
type Result struct {
	Scenario string
	Promise  string // what the client must do
	Err      error  // why it failed; nil if it passed
	Output   string // what the client printed in its last sync
	Took     time.Duration
}

// Passed reports whether the client did what it must.
func (r Result) Passed() bool { return r.Err == nil }

// Names returns the names of the scenarios, and what each tests.
func Names() (names, promises []string) {
	for _, s := range scenarios() {
		names, promises = append(names, s.name), append(promises, s.promise)
	}
	return names, promises
}

// Run runs the scenarios with a client. An error means that they could not be run; failures are in the results.
func Run(ctx context.Context, client Client, o Options) ([]Result, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = 2 * time.Second
	}
	if o.settle == nil {
		o.settle = func(string) { time.Sleep(settleTime) }
	}
	var results []Result
	for i, s := range scenarios() {
		if len(o.Only) > 0 && !slices.Contains(o.Only, s.name) {
			continue
		}
		result, err := s.try(ctx, client, o)
		if err != nil {
			return results, err
		}
		results = append(results, result)
		if o.Observe != nil {
			o.Observe(result)
		}
		if i == 0 && !result.Passed() {
			break // the others would fail, too
		}
	}
	return results, nil
}

// try runs one scenario.
func (s scenario) try(ctx context.Context, client Client, o Options) (Result, error) {
	began := time.Now()
	w, err := newWorld(ctx, client, o)
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("simulate: %w", err), w.end())
	}
	result := Result{Scenario: s.name, Promise: s.promise, Err: s.run(w, ctx), Output: strings.TrimSpace(w.output.String())}
	result.Took = time.Since(began)
	err = w.end()
	if unusable, ok := errors.AsType[*unusableError](result.Err); ok {
		err = errors.Join(unusable, err)
	}
	return result, errors.Join(context.Cause(ctx), err)
}
