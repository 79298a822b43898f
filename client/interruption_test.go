package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// away is a destination that is temporarily unreachable.
type away struct {
	*memory
	until time.Time
}

func (a *away) reach() error {
	if time.Now().Before(a.until) {
		return &client.Interruption{Err: errors.New("the server restarts")}
	}
	return nil
}

func (a *away) Begin(ctx context.Context, streams []*connectorv1.Stream) (client.BeginResult, error) {
	if err := a.reach(); err != nil {
		return client.BeginResult{}, err
	}
	return a.memory.Begin(ctx, streams)
}

func (a *away) Commit(ctx context.Context, c client.Commit) error {
	if err := a.reach(); err != nil {
		return err
	}
	return a.memory.Commit(ctx, c)
}

func TestSyncWaitsForTheDestination(t *testing.T) {
	tests := map[string]struct {
		away time.Duration
		want string
	}{
		"a failover":  {away: 4 * time.Minute},
		"forever":     {away: time.Hour, want: "gave up after the destination was unavailable for 5m"},
		"not at all":  {},
		"for a blink": {away: time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &away{memory: newMemory(), until: time.Now().Add(test.away)}
				f := &fakeService{streams: []string{"a"}, records: 100, page: 10}
				waits := 0
				_, err := connect(t, f).Sync(t.Context(), client.SyncOptions{Destination: d, Observe: func(_ context.Context, m *connectorv1.ReadResponse) {
					if m.GetLog() != nil {
						waits++
					}
				}})
				if test.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					wantRows(t, d.memory, "a", 100)
				} else if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "the server restarts") {
					t.Errorf("got %v, want something with %q", err, test.want)
				}
				if (waits > 0) != (test.away > 0) {
					t.Errorf("%d warnings", waits)
				}
			})
		})
	}
}
