package cli

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stripe-connector/stripe-connector/client/runlog"
	"github.com/stripe-connector/stripe-connector/connector"
)

// childDelay is an environment variable that makes the test binary run a command line with the fake source. Its value
// is how long each Read takes.
const childDelay = "STRIPE_CONNECTOR_TEST_CHILD_DELAY"

var kills = flag.Int("kills", 4, "how often to kill the process that runs pipelines")

// TestMain runs the tests or, in a child process, a command line.
func TestMain(m *testing.M) {
	if delay := os.Getenv(childDelay); delay != "" {
		os.Exit(child(delay))
	}
	goleak.VerifyTestMain(m)
}

// child runs the process's command line and returns the exit code.
func child(delay string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	d, err := time.ParseDuration(delay)
	if err != nil {
		panic(err)
	}
	a := &app{build: fullBuild(), stdin: strings.NewReader(""), stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		source: func([]string, connector.Observer) connector.Source { return slowSource{delay: d} }}
	return a.run(ctx, os.Args[1:])
}

// slowSource is the fake source with a delay before each Read.
type slowSource struct {
	fakeSource
	delay time.Duration
}

func (s slowSource) Read(ctx context.Context, req connector.ReadRequest, sink connector.Sink) (connector.Summary, error) {
	select {
	case <-ctx.Done():
		return connector.Summary{}, ctx.Err()
	case <-time.After(s.delay):
		return s.fakeSource.Read(ctx, req, sink)
	}
}

// start runs a command line in a child process. It returns the process and its combined output.
func start(t *testing.T, delay time.Duration, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	said := &output{}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childDelay+"="+delay.String(), "FRUIT_KEY="+plantedKey)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // fails if it has already exited
	return cmd, said
}

// until waits up to two minutes for is to return true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

// writePipelines writes a file with one pipeline to a new folder.
func writePipelines(t *testing.T) (path string) {
	t.Helper()
	return write(t, "pipelines.yaml", `pipelines:
  fruit:
    config: {api_key: {env: FRUIT_KEY}}
    destination: sqlite:fruit.db
    schedule: {every: 1h}
`)
}

// statuses returns the statuses of all runs, oldest first. It returns nil while there is no readable log.
func statuses(t *testing.T, pipelines string) []runlog.Status {
	t.Helper()
	log, err := runlog.View(t.Context(), strings.TrimSuffix(pipelines, ".yaml")+".runs.db")
	if err != nil {
		return nil // doesn't exist yet
	}
	defer log.Close()
	runs, err := log.Runs(t.Context(), runlog.Filter{})
	if err != nil {
		return nil // is being created
	}
	var all []runlog.Status
	for _, r := range runs {
		all = append([]runlog.Status{r.Status}, all...)
	}
	return all
}

func TestTwoProcessesRunAPipelineOnce(t *testing.T) {
	path := writePipelines(t)
	first, firstSaid := start(t, 2*time.Second, "run", path)
	second, secondSaid := start(t, 2*time.Second, "run", path)
	both := func() string { return firstSaid.String() + secondSaid.String() }
	until(t, "one of them has run it", func() bool { return strings.Contains(both(), "run 1 succeeded") })
	until(t, "the other left it alone", func() bool { return strings.Contains(both(), "another process is running it") })
	for _, cmd := range []*exec.Cmd{first, second} {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v; it said %s", err, both())
		}
	}
	if diff := cmp.Diff([]runlog.Status{runlog.Succeeded}, statuses(t, path)); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if strings.Contains(both(), "Planted4Secret") {
		t.Errorf("the key was printed: %s", both())
	}
}

func TestSIGTERMStopsARunInOrder(t *testing.T) {
	path := writePipelines(t)
	cmd, said := start(t, time.Hour, "run", path)
	until(t, "the run has started", func() bool { return len(statuses(t, path)) == 1 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v; it said %s", err, said)
	}
	if diff := cmp.Diff([]runlog.Status{runlog.Stopped}, statuses(t, path)); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// TestKilledRunsAreLostAndResumed kills the process at random moments of a run. Each time, the log must show the run
// as lost. A final run must resume and succeed.
func TestKilledRunsAreLostAndResumed(t *testing.T) {
	path := writePipelines(t)
	var want []runlog.Status
	for range *kills {
		cmd, _ := start(t, time.Hour, "run", path)
		until(t, "the next run has started", func() bool { return len(statuses(t, path)) == len(want)+1 })
		time.Sleep(rand.N(30 * time.Millisecond))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // always an error, since it was killed
		want = append(want, runlog.Lost)

		w := newWorld(t, fakeSource{})
		w.runs(t, exitOK, "runs", path)
		says(t, w.out, "lost")
		says(t, w.out, "the next run resumes from there")
		if diff := cmp.Diff(want, statuses(t, path)); diff != "" {
			t.Fatalf("runs (-want +got):\n%s", diff)
		}
	}
	cmd, said := start(t, 0, "run", path)
	until(t, "the run resumed", func() bool { return strings.Contains(said.String(), fmt.Sprintf("run %d succeeded", *kills+1)) })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v; it said %s", err, said)
	}
	if diff := cmp.Diff(append(want, runlog.Succeeded), statuses(t, path)); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	rows, err := ask(t.Context(), filepath.Join(filepath.Dir(path), "fruit.db"), "SELECT count(*) AS n FROM apples")
	if err != nil || rows != "n\n3\n" {
		t.Errorf("got rows %q, %v", rows, err)
	}
}
