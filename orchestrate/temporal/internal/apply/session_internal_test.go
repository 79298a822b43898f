package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestCall checks which errors are retried, and for how long.
func TestCall(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		calls   int // after which it succeeds
		want    string
		minimum time.Duration
		maximum time.Duration
	}{
		"a busy server":       {serviceerror.NewResourceExhausted(0, "busy"), 4, "", 3500 * time.Millisecond, 10500 * time.Millisecond},
		"a restarting server": {serviceerror.NewUnavailable("away"), 3, "", 1500 * time.Millisecond, 4500 * time.Millisecond},
		"a slow server":       {fmt.Errorf("describe: %w", context.DeadlineExceeded), 2, "", 500 * time.Millisecond, 1500 * time.Millisecond},
		"a failing server":    {status.Error(codes.Unknown, "something went wrong, please retry"), 3, "", 1500 * time.Millisecond, 4500 * time.Millisecond},
		"a permanent error":   {serviceerror.NewPermissionDenied("no", ""), 2, "no", 0, 0},
		"a dead server":       {serviceerror.NewUnavailable("gone"), 1000, "Temporal has answered no call for 2m0s: gone", patience, patience + 2*longestWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, calls := time.Now(), 0
				err := newSession(nil, nil).call(t.Context(), func(ctx context.Context) error {
					if calls++; calls < c.calls {
						ctx.Value(wireKey{}).(*wire).err = c.err
						return serviceerror.FromStatus(serviceerror.ToStatus(c.err))
					}
					return nil
				})
				if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if took := time.Since(begun); took < c.minimum || took > c.maximum {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := newSession(nil, nil).call(ctx, func(context.Context) error { return serviceerror.NewUnavailable("away") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's deadline", err)
		}
	})
}

// TestEach checks that a step reports progress, continues after errors, and ends soon if Temporal is silent.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		s := newSession(nil, func(p Progress) { reports = append(reports, p.String()) })
		begun := time.Now()
		done, err := s.each(t.Context(), "changed", 100, func(ctx context.Context, i int) error {
			return s.call(ctx, func(context.Context) error {
				time.Sleep(3 * time.Second)
				switch {
				case i%2 == 1:
					return fmt.Errorf("planted-%d", i)
				case i == 0 && time.Since(begun) < 12*time.Second:
					return serviceerror.NewUnavailable("away")
				}
				return nil
			})
		})
		if done != 50 || err == nil || strings.Count(err.Error(), "planted") != maxNamed || !strings.HasSuffix(err.Error(), "\nand 30 more") || !strings.HasPrefix(err.Error(), "planted-1\n") {
			t.Errorf("got %d and %v", done, err)
		}
		if len(reports) != 2 || !strings.HasPrefix(reports[0], "2") || !strings.HasSuffix(reports[0], "of 100 schedules changed.") {
			t.Errorf("got the reports %q", reports)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		s := newSession(nil, func(p Progress) { reports = append(reports, p.String()) })
		var calls atomic.Int32
		begun := time.Now()
		done, err := s.each(t.Context(), "compared", 1000, func(ctx context.Context, _ int) error {
			return s.call(ctx, func(context.Context) error {
				if calls.Add(1) <= 7 {
					return nil
				}
				return serviceerror.NewUnavailable("gone")
			})
		})
		if _, silent := errors.AsType[*silence](err); !silent || done != 7 || time.Since(begun) > patience+2*longestWait {
			t.Errorf("got %d and %v after %s", done, err, time.Since(begun))
		}
		if want := "7 of 1000 schedules compared; retrying, since Temporal is busy or away: gone."; len(reports) < 12 || reports[0] != want {
			t.Errorf("got the reports %q, want %q", reports, want)
		}
	})
}
