package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Client syncs once: it reads all streams to their end and leaves its rows in the folder. It returns an error
// if it gave up. When ctx is done, it has been killed: it must stop at once, without finishing anything.
type Client func(ctx context.Context, s Setup) error

// Setup is what a Client has to sync. The Setup of all syncs of a scenario is the same, except for the output.
type Setup struct {
	Target string // host:port of the service, in clear text
	Config string // path of a JSON file with the configuration
	// Folder belongs to the client and is initially empty. The client leaves the rows of each stream in STREAM.jsonl, one
	// object per line.
	Folder string
	Output io.Writer // what the client prints
}

// Environment returns the environment variables that describe s to a command. Those for flags that our own commands also
// have are named as there.
func (s Setup) Environment() []string {
	return []string{
		"STRIPE_CONNECTOR_TARGET=" + s.Target,
		"STRIPE_CONNECTOR_CONFIG=" + s.Config,
		"STRIPE_CONNECTOR_FOLDER=" + s.Folder,
	}
}

// leftBehind is how long to wait for the output of processes that a command leaves behind.
const leftBehind = time.Second

// Command returns a Client that runs a command with the variables of [Setup.Environment].
func Command(name string, args ...string) Client {
	return func(ctx context.Context, s Setup) error {
		cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // it is the user's own
		cmd.Env = append(cmd.Environ(), s.Environment()...)
		cmd.Stdout, cmd.Stderr = s.Output, s.Output
		cmd.WaitDelay = leftBehind
		killGroup(cmd)
		err := cmd.Run()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited && ctx.Err() == nil {
			return &unusableError{fmt.Errorf("run %s: %w", name, err)}
		}
		return err
	}
}

// unusableError is the error of a command that can't be run at all.
type unusableError struct{ error }

// Unwrap returns the cause.
func (e *unusableError) Unwrap() error { return e.error }
