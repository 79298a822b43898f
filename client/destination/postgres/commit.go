package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// Commit stores records and states, and removes rows that no longer exist at the source, in one transaction. If a record
// can't be stored, Commit starts over and sets that record aside. If ctx ends, the connection is lost. Begin reconnects.
func (d *Destination) Commit(ctx context.Context, c client.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w, err := d.newWork(c)
	if err != nil {
		return err
	}
	if d.opts.Append {
		err = w.commitInSteps(ctx, d.appendVersions)
	} else {
		err = w.commitAtOnce(ctx)
	}
	var refused []refusal
	if w.isRowError(err) {
		err = w.commitInSteps(ctx, func(ctx context.Context, tx pgx.Tx, t *table, batches []*connectorv1.RecordBatch) error {
			aside, err := d.loadStorable(ctx, tx, t, batches)
			if err != nil {
				return err
			}
			refused = append(refused, aside...)
			return d.setAside(ctx, tx, t, aside)
		})
	}
	if err != nil {
		return d.explain(ctx, err)
	}
	w.remember()
	if c.Refused != nil {
		for _, r := range refused {
			c.Refused(r.Refusal)
		}
	}
	return nil
}

// work is what a commit does.
type work struct {
	client.Commit
	d       *Destination
	streams [][]*connectorv1.RecordBatch // the records by stream
	touched []*table                     // the tables that it changes
	filled  map[*table]bool              // those that had no rows before and have some now, or the reverse
}

// newWork returns an error if the commit names a stream that wasn't passed to Begin.
func (d *Destination) newWork(c client.Commit) (*work, error) {
	w := &work{Commit: c, d: d, streams: byStream(c.Records), filled: map[*table]bool{}}
	touch := func(stream string) error {
		t := d.tables[stream]
		if t == nil {
			return rows.UnexpectedStream(stream)
		}
		if !slices.Contains(w.touched, t) {
			w.touched = append(w.touched, t)
		}
		return nil
	}
	for _, batches := range w.streams {
		if err := touch(batches[0].GetStream()); err != nil {
			return nil, err
		}
	}
	for _, completion := range c.Completed {
		if err := touch(completion.Stream); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// isRowError reports whether an error concerns a single record.
func (w *work) isRowError(err error) bool {
	return slices.ContainsFunc(w.touched, func(t *table) bool { return t.isRowError(err) })
}

// commitAtOnce sends the statements of the transaction without waiting for their results, except that it doesn't end the
// transaction before it knows that the tables are unchanged. So the server is never idle while rows are sent, and a commit
// takes two round trips, whatever the number of its rows and streams.
func (w *work) commitAtOnce(ctx context.Context) error {
	d := w.d
	return d.pipelinedTransaction(ctx, func(p *pipeline) error {
		unchanged := d.examineTouched(p, w.touched)
		p.request()
		for _, batches := range w.streams {
			t := d.tables[batches[0].GetStream()]
			d.supersede(p, t, batches)
			if err := d.sendNewest(p, t, batches); err != nil {
				return err
			}
		}
		if err := p.receive(); err != nil {
			return err
		}
		if err := unchanged(); err != nil {
			return err
		}
		return w.finish(p)
	})
}

// commitInSteps calls store for each stream, within a transaction.
func (w *work) commitInSteps(ctx context.Context, store func(context.Context, pgx.Tx, *table, []*connectorv1.RecordBatch) error) error {
	d := w.d
	return d.transaction(ctx, func(tx pgx.Tx) error {
		var unchanged func() error
		err := d.pipelined(ctx, func(p *pipeline) error {
			unchanged = d.examineTouched(p, w.touched)
			for _, batches := range w.streams {
				d.supersede(p, d.tables[batches[0].GetStream()], batches)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := unchanged(); err != nil {
			return err
		}
		for _, batches := range w.streams {
			if err := store(ctx, tx, d.tables[batches[0].GetStream()], batches); err != nil {
				return err
			}
		}
		return d.pipelined(ctx, w.finish)
	})
}

// finish adds the statements that follow the rows.
func (w *work) finish(p *pipeline) error {
	for _, state := range w.States {
		if err := w.d.store(p, state); err != nil {
			return err
		}
	}
	for _, completion := range w.Completed {
		w.d.complete(p, completion)
	}
	clear(w.filled) // of an earlier attempt
	w.d.updateFilled(p, w.touched, w.filled)
	return nil
}

// remember records what the commit changed. It is called after the commit.
func (w *work) remember() {
	for t, filled := range w.filled {
		t.known.Filled = filled
	}
	for _, completion := range w.Completed {
		w.d.completed[client.StreamKey{Stream: completion.Stream, Account: completion.Account}] = completion.Generation
	}
}

// byStream groups the batches by stream. Each group keeps their order.
func byStream(batches []*connectorv1.RecordBatch) [][]*connectorv1.RecordBatch {
	var all [][]*connectorv1.RecordBatch
	at := map[string]int{}
	for _, b := range batches {
		i, ok := at[b.GetStream()]
		if !ok {
			i = len(all)
			at[b.GetStream()] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], b)
	}
	return all
}

// store adds the statement that stores a state.
func (d *Destination) store(p *pipeline, state *connectorv1.StreamState) error {
	content, err := rows.EncodeState(state)
	if err != nil {
		return err
	}
	arrived := "0"
	if t := d.tables[state.GetStream()]; d.opts.Append && t != nil {
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + t.qualified() + ")"
	}
	p.exec("INSERT INTO "+d.stateTable()+" AS s (stream, account, state, stored_at, arrived) VALUES ($1, $2, $3, now(), "+
		arrived+") ON CONFLICT (stream, account) DO UPDATE SET "+
		"state = excluded.state, stored_at = excluded.stored_at, arrived = excluded.arrived",
		state.GetStream(), state.GetAccount(), content)
	return nil
}

// complete adds the statements that remove or mark the rows of generations before the completed one, unless that was done
// already.
func (d *Destination) complete(p *pipeline, c client.Completion) {
	t := d.tables[c.Stream]
	if c.Generation <= d.completed[client.StreamKey{Stream: c.Stream, Account: c.Account}] {
		return
	}
	if t.Keys > 0 {
		p.exec(t.complete(d.opts), c.Account, c.Generation)
	}
	if t.refused {
		p.exec("DELETE FROM "+d.qualified(rows.RefusedTable)+" WHERE stream = $1 AND account = $2 AND generation < $3",
			c.Stream, c.Account, c.Generation)
	}
	arrived := "arrived"
	if d.opts.Append {
		arrived = "(SELECT coalesce(max(_arrival), 0) FROM " + t.qualified() + ")"
	}
	p.exec("UPDATE "+d.stateTable()+" SET completed = $1, arrived = "+arrived+
		" WHERE stream = $2 AND account = $3", c.Generation, c.Stream, c.Account)
}
