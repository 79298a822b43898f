package temporal_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	connector "github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/orchestrate/temporal"
)

// childSettings is an environment variable that makes the test binary run a worker. Its value is a JSON object.
const childSettings = "STRIPE_CONNECTOR_TEST_WORKER"

// childWorker are the settings of a worker in a child process.
type childWorker struct{ Address, Namespace, Queue, Target, Content string }

// These bound how soon the loss of a child is noticed. A busy machine may be late with heartbeats of living workers.
const (
	childTimeout  = 8 * time.Second
	childInterval = 500 * time.Millisecond
)

const syncEnded = "a sync ended: "

// child runs a worker until its standard input ends, prints how each sync ends, and returns the exit code.
func child(settings string) int {
	err := func() error {
		var c childWorker
		if err := json.Unmarshal([]byte(settings), &c); err != nil {
			return err
		}
		file, err := pipeline.Parse("pipelines.yaml", []byte(c.Content))
		if err != nil {
			return err
		}
		t, err := client.Dial(client.Options{HostPort: c.Address, Namespace: c.Namespace})
		if err != nil {
			return err
		}
		defer t.Close()
		service, err := connector.Dial(c.Target, connector.Options{})
		if err != nil {
			return err
		}
		defer service.Close()
		w := temporal.NewWorker(t, c.Namespace, temporal.Options{
			File: file, Destinations: all.Kinds(), TaskQueue: c.Queue, HeartbeatTimeout: childTimeout, HeartbeatInterval: childInterval,
			Getenv: func(string) string { return plantedKey },
			Service: wrapped{service, func(err error) error {
				fmt.Printf("%s%v\n", syncEnded, err)
				return err
			}},
		})
		if err := w.Start(); err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		w.Stop()
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a worker in a child process.
type process struct {
	*testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// startChild starts a worker that connects to Temporal at an address. It is killed when the test ends.
func startChild(t *testing.T, address, target, content string) *process {
	t.Helper()
	settings, err := json.Marshal(childWorker{address, server.Namespace, strings.ToLower(t.Name()), target, content})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{T: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), childSettings+"="+string(settings)), os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// said waits until a sync ends, and returns how.
func (p *process) said() string {
	for p.lines.Scan() {
		if ended, ok := strings.CutPrefix(p.lines.Text(), syncEnded); ok { // Temporal's client logs, too
			return ended
		}
	}
	return ""
}
