package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/connector/stripe/state"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// soakTime is how long TestSoak changes an account.
var soakTime = flag.Duration("soak", 0, "how long TestSoak changes an account; it is skipped without")

const (
	soakRate    = 100                               // changes per second
	soakLate    = 20 * time.Second                  // maximum delay before an event becomes visible
	soakOverlap = 30 * time.Second                  // events_overlap_seconds
	soakSettled = soakOverlap*11/10 + 5*time.Second // after this, one sync finds everything that became visible within the overlap
)

// TestSoak syncs a busy account into SQLite while its service and its client are killed every few seconds. Events become
// visible late. One object in a hundred cannot be read for a while, and one in two hundred cannot be read at all. At the
// end, the rows must match the truth, except for objects that are reported as set aside.
//
// Nothing depends on the speed of the machine. A slower one makes fewer changes, and the log reports how many.
func TestSoak(t *testing.T) {
	if *soakTime == 0 {
		t.Skip("takes as long as -soak says")
	}
	seed := rand.Uint64()
	s := &soak{T: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), file: filepath.Join(t.TempDir(), "soak.db"), address: freeAddress(t)}
	s.stripe = simulate(t, stripetest.Options{
		Seed: seed, Objects: map[string]int{"/v1/charges": 1000, "/v1/invoices": 250, "/v1/subscriptions": 100, "/v1/customers": 200, "*": 20},
		EventDelay: soakLate, ObjectDelay: 2 * time.Second, RetrieveDelay: 2 * time.Second, ShuffleTies: true, OldEvents: 0.05,
		Latency: func(string) time.Duration { return 3 * time.Millisecond },
	})
	s.config = s.writeConfig()
	for stream := range tables {
		s.streams = append(s.streams, stream)
	}
	slices.Sort(s.streams)
	s.service = startAt(t, s.address, s.stripe.URL)

	forever := s.breakForever()
	s.disturb()
	time.Sleep(soakSettled)
	s.sync(s.file) // finishes what the last one started,
	s.sync(s.file) // and re-checks everything
	undisturbed := filepath.Join(t.TempDir(), "undisturbed.db")
	s.sync(undisturbed)
	named := 0
	for stream, list := range tables {
		named += s.compare(stream, list, undisturbed)
	}
	if left := s.existing(forever); named < left {
		s.Errorf("seed %d: %d objects can't be read, and only %d are set aside", s.seed, left, named)
	}
}

// compare checks that a stream's rows match those of an undisturbed sync and the objects of the list, except for objects that
// the states of the two syncs set aside. It returns how many objects the first state sets aside.
func (s *soak) compare(stream, list, undisturbed string) (named int) {
	s.Helper()
	lacks, lackedThen := s.aside(s.file, stream), s.aside(undisturbed, stream)
	got, want := s.rowsBut(s.file, stream, lacks, lackedThen), s.rowsBut(undisturbed, stream, lacks, lackedThen)
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("seed %d: %s differs from that of an undisturbed sync: %.4000s", s.seed, stream, diff)
	}
	all := strings.Join(dump(s.T, s.file, stream), "\n")
	objects, rows := 0, len(got)
	for id, raw := range s.stripe.Truth(list) {
		if asideIn(lacks, id, string(raw)) {
			named++
			continue
		}
		if !strings.Contains(all, `"id": "`+id+`"`) {
			s.Errorf("seed %d: %s lacks %s", s.seed, stream, id)
		}
		if !asideIn(lackedThen, id, string(raw)) {
			objects++
		}
	}
	if rows != objects {
		s.Errorf("seed %d: %s has %d rows, and Stripe has %d objects", s.seed, stream, rows, objects)
	}
	s.Logf("%s: %d rows, %d of %d objects are set aside by name", stream, rows, named, objects+named)
	return named
}

// aside returns what the state of a stream in a file sets aside.
func (s *soak) aside(file, stream string) []state.SetAside {
	s.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	var text string
	if err := db.QueryRowContext(s.Context(), "SELECT state FROM _stripe_connector_state WHERE stream = ?", stream).Scan(&text); err != nil {
		s.Fatal(err)
	}
	var content state.State
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		s.Fatal(err)
	}
	return content.SetAside
}

// rowsBut returns a stream's rows in a file, except those set aside.
func (s *soak) rowsBut(file, stream string, aside ...[]state.SetAside) []string {
	s.Helper()
	return slices.DeleteFunc(dump(s.T, file, stream), func(row string) bool {
		id := rowID.FindStringSubmatch(row)
		return id != nil && slices.ContainsFunc(aside, func(a []state.SetAside) bool { return asideIn(a, id[1], row) })
	})
}

var (
	rowID   = regexp.MustCompile(`"id": "([^"]*)"`)
	created = regexp.MustCompile(`"created":\s*(\d+)`)
)

// asideIn reports whether an object, given by its id and its JSON or row, is set aside: on its own, with its parent, or as one
// created in a second that cannot be read.
func asideIn(all []state.SetAside, id, raw string) bool {
	return slices.ContainsFunc(all, func(a state.SetAside) bool {
		if !a.IsWindow() {
			return a.ID == id || a.Of != "" && strings.Contains(raw, `"`+a.ID+`"`)
		}
		at := created.FindStringSubmatch(raw)
		if at == nil {
			return false
		}
		second, err := strconv.ParseInt(at[1], 10, 64)
		return err == nil && int64(a.From) <= second && second < int64(a.To)
	})
}

// soak is one run of TestSoak.
type soak struct {
	*testing.T
	seed    uint64
	random  *rand.Rand
	stripe  *stripetest.Server
	config  string
	file    string
	streams []string
	address string

	lock    sync.Mutex // guards the fields for what is killed and replaced
	service *exec.Cmd
	client  *exec.Cmd // the running one, or nil
	killed  bool      // whether the client was killed
}

func (s *soak) writeConfig() string {
	fields := simulatedConfig(s.stripe.URL)
	fields["events_overlap_seconds"] = int(soakOverlap.Seconds())
	text, err := json.Marshal(fields)
	if err != nil {
		s.Fatal(err)
	}
	path := filepath.Join(s.TempDir(), "config.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// command returns a command that syncs into a file.
func (s *soak) command(file string) *exec.Cmd {
	return command(s.T, "sync", "--target", s.address, "--config", s.config, "--select", strings.Join(s.streams, ","), "--to", "sqlite:"+file)
}

// sync runs a sync that is not disturbed.
func (s *soak) sync(file string) {
	s.Helper()
	if out, err := s.command(file).CombinedOutput(); err != nil {
		s.Fatalf("an undisturbed sync: %v\n%s", err, out)
	}
}

// disturb changes the account, breaks objects, kills the service and the client, and syncs repeatedly, for the duration of the
// test.
func (s *soak) disturb() {
	s.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(s.Context(), *soakTime)
	defer cancel()
	var changes, kills, broken int
	var syncs soakSyncs
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		changes, err = s.stripe.Traffic(s.random.Uint64(), "/v1/charges", "/v1/customers", "/v1/coupons", "/v1/invoices", "/v1/subscriptions").Run(ctx, soakRate)
		return err
	})
	all.Go(func() error {
		broken = s.breakObjects(ctx, rand.New(rand.NewPCG(1, 1)))
		return nil
	})
	all.Go(func() (err error) {
		kills, err = s.kill(ctx)
		return err
	})
	all.Go(func() (err error) {
		syncs, err = s.syncs(ctx)
		return err
	})
	if err := all.Wait(); err != nil {
		s.Fatal(err)
	}
	rate := float64(changes) / time.Since(begun).Seconds()
	s.Logf("%d changes (%.0f per second), %d objects broken for a while, %d kills, %d syncs that were killed and %d that ended", changes, rate, broken, kills, syncs.killed, syncs.ended)
	if rate < 0.9*soakRate {
		s.Logf("the machine made only %.0f changes per second instead of %d", rate, soakRate)
	}
	if kills == 0 || syncs.killed == 0 {
		s.Errorf("%d kills, and %d of them of syncs: nothing was disturbed", kills, syncs.killed)
	}
}

// pause waits for a random time, and reports whether ctx is still active afterwards.
func pause(ctx context.Context, minimum, maximum time.Duration) bool {
	select {
	case <-time.After(minimum + time.Duration(rand.Int64N(int64(maximum-minimum)))):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// breakForever makes one object in two hundred permanently unreadable, and returns their ids.
func (s *soak) breakForever() (broken []string) {
	for _, list := range []string{"/v1/charges", "/v1/customers"} {
		for i, id := range slices.Collect(keys(s.stripe.Account, list)) {
			if i%200 == 100 {
				s.stripe.Break(id, stripetest.ServerError)
				broken = append(broken, id)
			}
		}
	}
	return broken
}

// existing returns how many of the objects were not deleted.
func (s *soak) existing(ids []string) (n int) {
	for _, list := range tables {
		for id := range s.stripe.Truth(list) {
			if slices.Contains(ids, id) {
				n++
			}
		}
	}
	return n
}

// breakObjects repeatedly makes one object in a hundred unreadable for about a second.
func (s *soak) breakObjects(ctx context.Context, random *rand.Rand) (broken int) {
	kinds := []stripetest.FaultKind{stripetest.ServerError, stripetest.Truncated, stripetest.BadGateway}
	for pause(ctx, time.Second, 3*time.Second) {
		var ids []string
		for _, list := range []string{"/v1/charges", "/v1/customers", "/v1/invoices"} {
			ids = slices.AppendSeq(ids, keys(s.stripe.Account, list))
		}
		var repairs []func()
		for range len(ids) / 100 {
			repairs = append(repairs, s.stripe.Break(ids[random.IntN(len(ids))], kinds[random.IntN(len(kinds))]))
		}
		broken += len(repairs)
		pause(ctx, 500*time.Millisecond, 1500*time.Millisecond)
		for _, repair := range repairs {
			repair()
		}
	}
	return broken
}

// kill alternately kills the client and the service, every few seconds. It restarts the service at the same address.
func (s *soak) kill(ctx context.Context) (kills int, err error) {
	for pause(ctx, 1500*time.Millisecond, 5*time.Second) {
		kills++
		s.lock.Lock()
		if s.client != nil && kills%2 == 1 {
			s.killed = true
			err = s.client.Process.Kill()
		} else {
			err = s.service.Process.Kill()
			_ = s.service.Wait()
			s.service = startAt(s.T, s.address, s.stripe.URL)
		}
		s.lock.Unlock()
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			return kills, err
		}
	}
	return kills, nil
}

// soakSyncs counts syncs.
type soakSyncs struct{ killed, ended int }

// syncs runs syncs until ctx is done. Only a sync that was killed may fail.
func (s *soak) syncs(ctx context.Context) (n soakSyncs, err error) {
	for ctx.Err() == nil {
		cmd := s.command(s.file)
		var output strings.Builder
		cmd.Stderr, cmd.Stdout = &output, io.Discard
		s.lock.Lock()
		s.client, s.killed = cmd, false
		err := cmd.Start()
		s.lock.Unlock()
		if err != nil {
			return n, err
		}
		err = cmd.Wait()
		s.lock.Lock()
		killed := s.killed
		s.client = nil
		s.lock.Unlock()
		switch {
		case err == nil:
			n.ended++
		case killed:
			n.killed++
		default:
			return n, errors.Join(err, errors.New(output.String()))
		}
	}
	return n, nil
}
