package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// queue collects statements and sends them in one round trip. The zero value is ready to use.
type queue struct{ batch pgx.Batch }

// exec adds a statement without a result.
func (q *queue) exec(statement string, args ...any) { q.batch.Queue(statement, args...) }

// query adds a statement whose result is read by collect.
func (q *queue) query(collect func(pgx.Rows) error, statement string, args ...any) {
	q.batch.Queue(statement, args...).Query(collect)
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
	return tx.SendBatch(ctx, &q.batch).Close()
}
