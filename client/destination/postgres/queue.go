package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// queue collects statements and sends them in one round trip. The zero value is ready to use.
type queue struct {
	batch pgx.Batch
	doing []string // the prefix for each statement's error
	done  int      // the number of statements that succeeded
}

func (q *queue) add(doing, statement string, args ...any) *pgx.QueuedQuery {
	q.doing = append(q.doing, doing)
	return q.batch.Queue(statement, args...)
}

// exec adds a statement without a result. Its error begins with doing, unless that is empty.
func (q *queue) exec(doing, statement string, args ...any) {
	q.add(doing, statement, args...).Exec(func(pgconn.CommandTag) error {
		q.done++
		return nil
	})
}

// query adds a statement whose result is read by collect.
func (q *queue) query(collect func(pgx.Rows) error, statement string, args ...any) {
	q.add("", statement, args...).Query(func(answer pgx.Rows) error {
		q.done++
		return collect(answer)
	})
}

// boolean adds a statement that returns at most one boolean.
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

// run executes the statements in order and stops at the first error.
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
