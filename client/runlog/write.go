package runlog

import (
	"context"
	"database/sql"
	"time"
)

// Begin stores a run that is starting, and sets its ID and Status. The caller must hold the pipeline's lock. Any run of the
// pipeline that is still marked as running therefore belongs to a process that died, and Begin marks it as lost.
func (s *Store) Begin(ctx context.Context, run *Run) error {
	run.Status = Running
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := markLost(ctx, tx, run.Pipeline); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO runs (pipeline, slot, attempt, status, process, started, seen)
VALUES (?, ?, ?, ?, ?, ?, ?)`,
			run.Pipeline, format(run.Slot), run.Attempt, run.Status, run.Process, format(run.Started), format(run.Started))
		if err != nil {
			return err
		}
		run.ID, err = result.LastInsertId()
		return err
	})
}

// MarkLost marks the running runs of a pipeline as lost. The caller must hold the pipeline's lock.
func (s *Store) MarkLost(ctx context.Context, pipeline string) error {
	return s.write(ctx, func(tx *sql.Tx) error { return markLost(ctx, tx, pipeline) })
}

func markLost(ctx context.Context, tx *sql.Tx, pipeline string) error {
	_, err := tx.ExecContext(ctx, `UPDATE runs SET status = ?, ended = seen, class = 'SYSTEM', error = ?
WHERE pipeline = ? AND status = ?`, Lost, `The process died during the run. The stored data is consistent, and the next run resumes `+
		`from there. If this happens again, check for lack of memory, power loss, or a kill.`, pipeline, Running)
	return err
}

// Save stores the progress or the end of a run.
func (s *Store) Save(ctx context.Context, run *Run) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE runs SET status = ?, ended = ?, seen = ?, reads = ?, requests = ?, retries = ?,
waited_ms = ?, class = ?, error = ? WHERE id = ?`, run.Status, nullable(run.Ended), format(time.Now()), run.Reads, run.Requests,
			run.Retries, run.Waited.Milliseconds(), run.Class, run.Error, run.ID)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM streams WHERE run = ?", run.ID); err != nil {
			return err
		}
		for i, st := range run.Streams {
			_, err := tx.ExecContext(ctx, "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				run.ID, i, st.Stream, st.Account, st.Status, st.Extracted, st.Loaded, st.Deleted, st.Bytes,
				st.Duration.Milliseconds(), nullable(st.Watermark), st.Error, st.Withheld, st.SetAside, driftColumn{&st.Drift})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Add appends an entry to a run's log.
func (s *Store) Add(ctx context.Context, run int64, e Entry) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO entries
SELECT ?, coalesce(max(position) + 1, 0), ?, ?, ?, ?, ? FROM entries WHERE run = ?`,
			run, format(e.At), e.Level, e.Stream, e.Account, e.Message, run)
		return err
	})
}

// Prune removes runs that started before the given time. It keeps the last run of each pipeline, since schedules count from it.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE started < ? AND status <> ?
AND id NOT IN (SELECT max(id) FROM runs GROUP BY pipeline)`, format(before), Running)
		return err
	})
}
