package connectortest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Test runs each check of the suite as a subtest. The checks run one after the other, and so do most Reads.
func Test(t *testing.T, source connector.Source, options Options) {
	t.Helper()
	s := newSuite(source, options)
	seen, ran := map[string]bool{}, 0
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			ran++
			trial := s.try(t.Context(), c)
			for _, breach := range trial.results() {
				seen[breach.Promise.ID] = true
				if why, known := options.Known[breach.Promise.ID]; known {
					t.Logf("known (%s): %s", why, breach)
					continue
				}
				t.Error(breach)
			}
			if trial.unjudged != "" && !t.Failed() {
				t.Skip(trial.unjudged)
			}
		})
	}
	for id := range options.Known {
		if !seen[promise(id).ID] && ran == len(checks) && !t.Failed() {
			t.Errorf("the promise %q is listed in Known, but did not break: remove it from Known", id)
		}
	}
}

// Verify runs the suite and returns what broke, in the order found. An empty result means that every promise held, as far as
// the options made it possible to judge.
func Verify(ctx context.Context, source connector.Source, options Options) []Breach {
	s := newSuite(source, options)
	var breaches []Breach
	for _, c := range checks {
		breaches = append(breaches, s.try(ctx, c).results()...)
	}
	return breaches
}

// Breach is a promise that a source was seen to break.
type Breach struct {
	Promise Promise
	Check   string // that found it
	Detail  string // what was observed
}

// String returns what was observed and the sentence that it contradicts.
func (b Breach) String() string {
	return fmt.Sprintf("%s: %s\n\t“%s” (%s)", b.Promise.ID, b.Detail, b.Promise.Sentence, b.Promise.Where)
}

// check is a part of the suite.
type check struct {
	name string
	// basic checks establish what the others rely on. Once one has failed, the others are skipped.
	basic bool
	run   func(context.Context, *trial)
}

var checks = []check{
	{"catalog", true, checkCatalog},
	{"full refresh", true, checkFullRefresh},
	{"generations", false, checkGenerations},
	{"resume", false, checkResume},
	{"incremental", false, checkIncremental},
	{"limits", false, checkLimits},
	{"drain", false, checkDrain},
	{"failing sinks", false, checkFailingSinks},
	{"slow sink", false, checkSlowSink},
	{"panics", false, checkPanics},
	{"cancellation", false, checkCancellation},
	{"concurrent Reads", false, checkConcurrent},
	{"operations", false, checkOperations},
	{"fields", false, checkFields},
	{"skipped streams", false, checkSkipped},
	{"nonsense configurations", false, checkConfigs},
	{"nonsense streams", false, checkStreams},
	{"nonsense states", false, checkStates},
}

// suite is the state that the checks share.
type suite struct {
	source  connector.Source
	options Options
	broken  string // the basic check that failed

	spec    connector.Spec
	streams []*stream // in the order of the request
	rows    rows      // what a full refresh brought, until Mutate is called
}

func newSuite(source connector.Source, o Options) *suite {
	return &suite{source: source, options: o.withDefaults()}
}

// trial is one run of a check.
type trial struct {
	*suite
	check string

	mu       sync.Mutex // Reads may run at once
	breaches []Breach
	unjudged string // why the check could not be made
}

// maxBreaches is the most breaches of one promise that a check reports.
const maxBreaches = 3

// broke records that a promise was broken.
func (t *trial) broke(id, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := Breach{Promise: promise(id), Check: t.check, Detail: t.options.redact(fmt.Sprintf(format, args...))}
	same := 0
	for _, other := range t.breaches {
		if other.Promise.ID == id {
			same++
		}
		if other == b {
			return
		}
	}
	if same < maxBreaches {
		t.breaches = append(t.breaches, b)
	}
}

// results returns the breaches so far. A source that hangs or sends too late may add to them at any time.
func (t *trial) results() []Breach {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.breaches)
}

// failed reports whether a promise broke that isn't in Options.Known.
func (t *trial) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.breaches, func(b Breach) bool { _, known := t.options.Known[b.Promise.ID]; return !known })
}

// skip records that the check can't be made.
func (t *trial) skip(why string) { t.unjudged = why }

// try runs one check, and looks for goroutines that it left behind.
func (s *suite) try(ctx context.Context, c check) *trial {
	t := &trial{suite: s, check: c.name}
	if s.broken != "" {
		t.skip(fmt.Sprintf("the check %q failed, on which this one relies", s.broken))
		return t
	}
	before := goroutines()
	c.run(ctx, t)
	if left := leakedGoroutines(before, s.options.Patience); len(left) > 0 && !t.failed() {
		t.broke("no-leak", "%d goroutines are still running after all Reads have returned, such as\n%s", len(left), left[0])
	}
	if s.options.Logs != nil && s.options.secretIn(s.options.Logs()) != "" {
		t.broke("secrets", "the source's log contains a secret")
	}
	if c.basic && t.failed() {
		s.broken = c.name
	}
	return t
}

// fresh returns a source that shares no memory with the one under test, if the options can make one.
func (s *suite) fresh() connector.Source {
	if s.options.New != nil {
		return s.options.New()
	}
	return s.source
}

// request returns a request for all streams that support a mode.
func (s *suite) request(mode connector.SyncMode) connector.ReadRequest {
	req := connector.ReadRequest{Config: s.options.Config}
	for _, stream := range s.streams {
		if slices.Contains(stream.SyncModes, mode) {
			req.Streams = append(req.Streams, connector.ConfiguredStream{Stream: stream.Name, SyncMode: mode})
		}
	}
	if s.supports(connector.Checkpoints) {
		req.CheckpointPages = 1 // as many states to resume from as possible
	}
	return req
}

// modes returns those in which at least one of the streams can be read.
func (s *suite) modes() []connector.SyncMode {
	return slices.DeleteFunc([]connector.SyncMode{connector.FullRefresh, connector.Incremental}, func(m connector.SyncMode) bool {
		return len(s.request(m).Streams) == 0
	})
}

// supports reports whether the source claims a capability.
func (s *suite) supports(c connector.Capability) bool { return slices.Contains(s.spec.Capabilities, c) }

// stream returns what is known about a stream, or nil.
func (s *suite) stream(name string) *stream {
	i := slices.IndexFunc(s.streams, func(other *stream) bool { return other.Name == name })
	if i < 0 {
		return nil
	}
	return s.streams[i]
}

// stops returns the messages of a Read of n messages before which to stop it.
func (s *suite) stops(n int) []int {
	maximum := s.options.Stops
	if n <= maximum {
		maximum = n
	}
	stops := make([]int, 0, maximum)
	for i := range maximum {
		stops = append(stops, i*n/maximum)
	}
	return slices.Compact(stops)
}

// short returns the first few of many texts.
func short(texts []string) string {
	slices.Sort(texts)
	if len(texts) > 3 {
		return strings.Join(texts[:3], ", ") + ", …"
	}
	return strings.Join(texts, ", ")
}

// waitUntil polls a condition, and reports whether it came true in time.
func waitUntil(patience time.Duration, holds func() bool) bool {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
