// Command server runs a Temporal server for tests, with its data in memory, on the loopback interface only. It prints the
// address and the namespace, and stops when its standard input ends. With the argument times, it runs no server, but computes
// the times of schedules.
//
// It is a module of its own, because the server needs other versions of some modules than the connector.
package main

import (
	"fmt"
	"io"
	"os"

	"go.temporal.io/server/temporaltest"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "times" {
		if err := times(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	s := temporaltest.NewServer()
	fmt.Println(s.GetFrontendHostPort(), s.GetDefaultNamespace())
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Stop()
}
