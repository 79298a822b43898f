package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client/destination"
)

// fenceTable is the name of the table of tokens. It has one row per owner.
const fenceTable = "_stripe_connector_fence"

// fence makes newer attempts of an owner supersede older ones. The advisory lock already excludes two writers: it belongs to the
// session that writes. But the session of a stalled process keeps the lock, and a process that wakes up would reconnect and
// take it back.
//
// So each attempt draws a token, which is higher than all tokens drawn before. It then asks Confirm whether it is still the
// newest attempt, and only then makes its token the active one. The active token never decreases. The attempt terminates the
// session of an older attempt that holds the lock, acquires the lock, and verifies that its token is still the active one. It
// does so again whenever it reconnects.
//
// This needs no clock. Let attempt B be newer than A, so that A was given up before B began:
//
//   - If A's Confirm succeeded, B hadn't begun when A drew its token. B's token is higher, and once B's is active, A can't
//     activate its own again.
//   - If A drew its token after B began, A's Confirm fails, and A never activates the token.
//   - If A holds the lock when B's token becomes active, B terminates A's session. What A had committed by then is complete,
//     and B resumes from it. If A acquires the lock after that, it finds a higher active token, and ends.
//
// Sessions of other owners, and those without a fence, such as a person's sync, are never terminated. The name of the
// application identifies the owner and the token of a session. It belongs to the current client, even behind a pooler.
type fence struct {
	*destination.Fence
	token int64 // zero until drawn
}

// enter activates the token, which it draws first if there is none yet.
func (d *Destination) enter(ctx context.Context) error {
	if d.fence == nil {
		return nil
	}
	if d.fence.token == 0 {
		token, err := d.draw(ctx)
		if err != nil {
			return d.explain(ctx, err)
		}
		if err := d.fence.Confirm(ctx); err != nil {
			return err
		}
		d.fence.token = token
	}
	newest := false
	err := d.durably(ctx, func(p *pipeline) error {
		p.scan("UPDATE "+d.qualified(fenceTable)+" SET active = $2 WHERE owner = $1 AND active <= $2 RETURNING true", &newest, d.fence.Owner, d.fence.token)
		return nil
	})
	if err != nil {
		return d.explain(ctx, err)
	}
	if !newest {
		return destination.ErrSuperseded
	}
	_, err = d.conn.Exec(ctx, "SELECT set_config('application_name', $1, false)", d.fence.application()+strconv.FormatInt(d.fence.token, 10))
	return d.explain(ctx, err)
}

// draw returns a token that is higher than all tokens of the owner before.
func (d *Destination) draw(ctx context.Context) (token int64, err error) {
	err = d.durably(ctx, func(p *pipeline) error {
		// Without the schema's lock, two attempts may be the first at the same time.
		p.exec("SELECT pg_advisory_xact_lock($1)", d.lockKey()+1)
		err := d.createMissing(p, [][2]string{{fenceTable, `
	owner text PRIMARY KEY,
	drawn bigint NOT NULL,           -- the last token drawn by an attempt
	active bigint NOT NULL DEFAULT 0 -- the highest token of an attempt that may write
`}})
		p.scan("INSERT INTO "+d.qualified(fenceTable)+" AS f (owner, drawn) VALUES ($1, 1) "+
			"ON CONFLICT (owner) DO UPDATE SET drawn = f.drawn + 1 RETURNING drawn", &token, d.fence.Owner)
		return err
	})
	return token, err
}

// durably sends a transaction that survives a crash of the server, whatever the role's settings are.
func (d *Destination) durably(ctx context.Context, send func(*pipeline) error) error {
	return d.pipelinedTransaction(ctx, func(p *pipeline) error {
		p.exec("SET LOCAL synchronous_commit = on")
		return send(p)
	})
}

// evict terminates the session that holds the schema's lock if it belongs to an older attempt of the owner.
func (d *Destination) evict(ctx context.Context) error {
	if d.fence == nil {
		return nil
	}
	for _, h := range d.lockHolders(ctx) {
		if h.application == nil {
			continue
		}
		text, same := strings.CutPrefix(*h.application, d.fence.application())
		if token, err := strconv.ParseInt(text, 10, 64); !same || err != nil || token >= d.fence.token {
			continue
		}
		if _, err := d.conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "+
			"WHERE pid = $1 AND application_name = $2 AND usename = current_user", h.pid, *h.application); err != nil {
			return fmt.Errorf("end the session of an older attempt (%s): %w", h, d.explain(ctx, err))
		}
	}
	return nil
}

// verify returns an error unless the token is the active one. It is called with the schema's lock held.
func (d *Destination) verify(ctx context.Context) error {
	if d.fence == nil {
		return nil
	}
	var active int64
	err := d.conn.QueryRow(ctx, "SELECT active FROM "+d.qualified(fenceTable)+" WHERE owner = $1", d.fence.Owner).Scan(&active)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && active != d.fence.token {
		return destination.ErrSuperseded
	}
	return d.explain(ctx, err)
}

// application returns the start of the application name of the owner's sessions. The token follows it. With the hash instead
// of the owner, it has less than the 63 bytes to which the server truncates it.
func (f *fence) application() string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(f.Owner)) // never fails
	return fmt.Sprintf("stripe-connector %016x ", hash.Sum64())
}
