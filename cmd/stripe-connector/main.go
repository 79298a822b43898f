// Command stripe-connector replicates Stripe accounts: as a gRPC service for an orchestrator, or by itself into a file.
//
// Run it with --help; every command has examples there.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		getenv:   os.Getenv,
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
		source: func(allowedAPIBases []string, observer connector.Observer) connector.Source {
			return stripe.New(stripe.Options{AllowedAPIBases: allowedAPIBases, Observer: observer})
		},
	}
	restore := func() {}
	if stdin := int(os.Stdin.Fd()); term.IsTerminal(stdin) {
		a.hidden = func() (string, error) {
			line, err := term.ReadPassword(stdin)
			return string(line), err
		}
		if state, err := term.GetState(stdin); err == nil {
			restore = func() { _ = term.Restore(stdin, state) } // what is typed is shown again, also after Ctrl-C at the key
		}
	}
	code := a.run(ctx, os.Args[1:])
	restore()
	os.Exit(code)
}
