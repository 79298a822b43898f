package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// attempts opens destinations of one schema.
type attempts struct {
	server *postgrestest.Server
	schema string
}

// open opens the schema for an attempt of an owner or, without one, for a person's sync.
func (a attempts) open(ctx context.Context, owner string, confirm func(context.Context) error) (*postgres.Destination, error) {
	opts := postgres.Options{Schema: a.schema, LockWait: 300 * time.Millisecond}
	if owner != "" {
		opts.Fence = &destination.Fence{Owner: owner, Confirm: confirm}
	}
	return postgres.Open(ctx, a.server.URL(""), opts)
}

func newest(context.Context) error { return nil }

// write stores one record.
func write(ctx context.Context, t testing.TB, d *postgres.Destination, id string) error {
	t.Helper()
	s := stream(t, "charges", `{"id":{"type":"string"}}`, "id")
	if _, err := d.Begin(ctx, []*connectorv1.Stream{s}); err != nil {
		return err
	}
	batch := &connectorv1.RecordBatch{Stream: "charges", Records: []*connectorv1.Record{{Data: fmt.Sprintf(`{"id":%q}`, id), Operation: upsert}}}
	return d.Commit(ctx, client.Commit{Records: []*connectorv1.RecordBatch{batch}})
}

// superseded reports whether writes fail for good because of a newer attempt, at most after an interruption.
func superseded(ctx context.Context, t testing.TB, d *postgres.Destination) bool {
	t.Helper()
	err := write(ctx, t, d, "late")
	if _, interrupted := errors.AsType[*client.Interruption](err); interrupted {
		err = write(ctx, t, d, "late") // as a sync does
	}
	return errors.Is(err, destination.ErrSuperseded)
}

func TestFence(t *testing.T) {
	server := postgrestest.Start(t)
	gone := errors.New("the engine has given up on this attempt")
	tests := map[string]func(*testing.T, attempts){
		"a newer attempt takes over": func(t *testing.T, a attempts) {
			older := opened(t, a, "acme")
			must(t, write(t.Context(), t, older, "a"))
			newer := opened(t, a, "acme")
			must(t, write(t.Context(), t, newer, "b"))
			if !superseded(t.Context(), t, older) {
				t.Error("the older attempt could write")
			}
			must(t, write(t.Context(), t, newer, "c"))
			must(t, newer.Close())
			if !superseded(t.Context(), t, older) {
				t.Error("the older attempt could write after the newer one had ended")
			}
			must(t, opened(t, a, "").Close()) // nothing holds the lock anymore
		},
		"the newest reconnects": func(t *testing.T, a attempts) {
			d := opened(t, a, "acme")
			must(t, write(t.Context(), t, d, "a"))
			query(t, server, a.schema, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stripe-connector %'")
			if err := write(t.Context(), t, d, "b"); err == nil {
				t.Error("the connection was not lost")
			}
			must(t, write(t.Context(), t, d, "b"))
		},
		"a person's sync is left alone": func(t *testing.T, a attempts) {
			person := opened(t, a, "")
			_, err := a.open(t.Context(), "acme", newest)
			says(t, err, "another sync is writing")
			must(t, write(t.Context(), t, person, "a"))
		},
		"a person's sync doesn't take over": func(t *testing.T, a attempts) {
			d := opened(t, a, "acme")
			_, err := a.open(t.Context(), "", nil)
			says(t, err, "another sync is writing")
			must(t, write(t.Context(), t, d, "a"))
		},
		"another owner is left alone": func(t *testing.T, a attempts) {
			other := opened(t, a, "other")
			_, err := a.open(t.Context(), "acme", newest)
			says(t, err, "another sync is writing")
			must(t, write(t.Context(), t, other, "a"))
		},
		"stalled before it asks": func(t *testing.T, a attempts) {
			newer := opened(t, a, "acme")
			_, err := a.open(t.Context(), "acme", func(context.Context) error { return gone })
			if !errors.Is(err, gone) {
				t.Errorf("got %v, want %v", err, gone)
			}
			must(t, write(t.Context(), t, newer, "a"))
		},
		"stalled after it asked": func(t *testing.T, a attempts) {
			var newer *postgres.Destination
			_, err := a.open(t.Context(), "acme", func(context.Context) error {
				newer = opened(t, a, "acme")
				return nil
			})
			if !errors.Is(err, destination.ErrSuperseded) {
				t.Errorf("got %v, want %v", err, destination.ErrSuperseded)
			}
			must(t, write(t.Context(), t, newer, "a"))
		},
		"in order": order,
	}
	n := 0
	for name, test := range tests {
		n++
		t.Run(name, func(t *testing.T) { test(t, attempts{server, fmt.Sprintf("fence %d", n)}) })
	}
}

func opened(t *testing.T, a attempts, owner string) *postgres.Destination {
	t.Helper()
	d, err := a.open(t.Context(), owner, newest)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want something with %q", err, want)
	}
}

// order starts attempts one after another. It abandons each at a random moment but doesn't stop it, so attempts overlap. None
// may write after a newer one has.
func order(t *testing.T, a attempts) {
	var current atomic.Int64
	var all sync.WaitGroup
	const n, writes = 15, 4
	for i := range int64(n) {
		current.Store(i)
		reached := make(chan struct{}, writes+3) // one for each step of the attempt
		all.Go(func() {
			defer close(reached)
			step := func() {
				reached <- struct{}{}
				time.Sleep(rand.N(3 * time.Millisecond))
			}
			step()
			d, err := a.open(t.Context(), "acme", func(context.Context) error {
				step()
				if current.Load() != i {
					return errors.New("no longer the newest")
				}
				step()
				return nil
			})
			if err != nil {
				return
			}
			defer d.Close()
			for wrote, failures := 0, 0; wrote < writes && failures < 3; {
				if err := write(t.Context(), t, d, fmt.Sprintf("%03d", i)); err != nil {
					failures++
					continue
				}
				wrote++
				step()
			}
		})
		for range 1 + rand.N(writes+3) {
			<-reached
		}
	}
	all.Wait()
	rows := query(t, a.server, a.schema, "SELECT id FROM charges ORDER BY _synced_at") // of the last write of each attempt
	if len(rows) < 2 || rows[len(rows)-1]["id"] != fmt.Sprintf("%03d", n-1) {
		t.Errorf("attempts wrote %v, want several, with the last one at the end", rows)
	}
	for i := 1; i < len(rows); i++ {
		if rows[i-1]["id"].(string) > rows[i]["id"].(string) {
			t.Errorf("attempt %v wrote after attempt %v", rows[i-1]["id"], rows[i]["id"])
		}
	}
}
