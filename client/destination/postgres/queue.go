package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// queue holds statements that go to the server together, in one round trip. The zero value is ready.
type queue struct {
	batch pgx.Batch
	doing []string // for the error of each statement
	done  int      // statements
}

func (q *queue) add(doing, statement string, args ...any) *pgx.QueuedQuery {
	q.doing = append(q.doing, doing)
	return q.batch.Queue(statement, args...)
}

// exec adds a statement without an answer. Its error begins with doing, unless that is empty.
func (q *queue) exec(doing, statement string, args ...any) {
	q.add(doing, statement, args...).Exec(func(pgconn.CommandTag) error {
		q.done++
		return nil
	})
}

// query adds a statement with an answer, which collect reads.
func (q *queue) query(collect func(pgx.Rows) error, statement string, args ...any) {
	q.add("", statement, args...).Query(func(answer pgx.Rows) error {
		q.done++
		return collect(answer)
	})
}

// boolean adds a statement that answers with one truth value, or with none.
func (q *queue) boolean(found func(bool), statement string, args ...any) {
	q.query(func(answer pgx.Rows) error {
		var value bool
		_, err := pgx.ForEachRow(answer, []any{&value}, func() error {
			found(value)
			return nil
		})
		return err
	}, statement, args...)
}

// run runs the statements in order, up to the first one that fails.
func (q *queue) run(ctx context.Context, tx pgx.Tx) error {
	if q.batch.Len() == 0 {
		return nil
	}
	err := tx.SendBatch(ctx, &q.batch).Close()
	if err != nil && q.done < len(q.doing) && q.doing[q.done] != "" {
		return fmt.Errorf("%s: %w", q.doing[q.done], err)
	}
	return err
}
