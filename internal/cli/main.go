package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
)

// Build determines what a program links in. Whatever it doesn't reference stays out of the binary.
type Build struct {
	// Destinations are the available kinds of destinations.
	Destinations destination.Kinds
	// Databases is the function [Databases], or nil to omit its commands.
	Databases func(*app) []*cobra.Command
}

// Main runs the process's command line and returns the exit code.
func Main(build Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // restore the default handling, so that a second signal kills the process
	a := &app{
		build:    build,
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		getenv:   os.Getenv,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
		columns: func() int {
			width, _, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil {
				return 0
			}
			return width
		},
		source: func(allowedAPIBases []string, observer connector.Observer) connector.Source {
			return stripe.New(stripe.Options{AllowedAPIBases: allowedAPIBases, Observer: observer})
		},
	}
	if stdin := int(os.Stdin.Fd()); term.IsTerminal(stdin) {
		a.hidden = func() (string, error) {
			line, err := term.ReadPassword(stdin)
			return string(line), err
		}
		if state, err := term.GetState(stdin); err == nil {
			// Restore the echo, which Ctrl-C at the key prompt would leave off.
			defer func() { _ = term.Restore(stdin, state) }()
		}
	}
	return a.run(ctx, os.Args[1:])
}
