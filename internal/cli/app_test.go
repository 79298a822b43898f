package cli

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe"
)

// plantedKey is an API key that must never be printed.
const plantedKey = "sk_test_Planted4Secret"

// output is a buffer that is safe for concurrent use.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// world is an app with an environment and outputs in memory.
type world struct {
	*app
	out, err    *output
	environment map[string]string
}

// fullBuild returns the build with all destinations and commands.
func fullBuild() Build { return Build{Destinations: all.Kinds(), Databases: Databases} }

// newWorld returns a world that reads from source, or from Stripe's source if source is nil. When the test ends, it
// checks that neither the planted key nor a stack trace was printed.
func newWorld(t *testing.T, source connector.Source) *world {
	t.Helper()
	w := &world{out: &output{}, err: &output{}, environment: map[string]string{}}
	w.app = &app{
		build: fullBuild(),
		stdin: strings.NewReader(""), stdout: w.out, stderr: w.err,
		getenv: func(name string) string { return w.environment[name] },
		source: func(allowed []string, _ connector.Observer) connector.Source {
			if source != nil {
				return source
			}
			return stripe.New(stripe.Options{AllowedAPIBases: allowed})
		},
	}
	t.Cleanup(func() {
		for _, printed := range []string{w.out.String(), w.err.String()} {
			if strings.Contains(printed, "Planted4Secret") {
				t.Errorf("the key was printed: %s", printed)
			}
			if strings.Contains(printed, "goroutine ") {
				t.Errorf("a stack trace was printed: %s", printed)
			}
		}
	})
	return w
}

// runs runs a command line and checks the exit code.
func (w *world) runs(t *testing.T, want int, args ...string) {
	t.Helper()
	w.runsUntil(t, t.Context(), want, args...)
}

// runsUntil is like runs, with a context whose cancellation stands for a signal.
func (w *world) runsUntil(t *testing.T, ctx context.Context, want int, args ...string) {
	t.Helper()
	if got := w.run(ctx, args); got != want {
		t.Fatalf("%q exited with %d, want %d; stderr:\n%s", args, got, want, w.err)
	}
}

// says checks that an output contains want, possibly folded.
func says(t *testing.T, o *output, want string) {
	t.Helper()
	if got := o.String(); !strings.Contains(got, want) && !strings.Contains(strings.ReplaceAll(got, "\n  ", " "), want) {
		t.Errorf("got %q, want something with %q", o, want)
	}
}
