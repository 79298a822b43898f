package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// question is a question about the demo's data, in words and in SQL.
type question struct{ words, sql string }

// questions returns the questions that the demo asks. Their SQL can be pasted into sqlite3 unchanged.
func questions() []question {
	return []question{
		{"How does the company grow?", `SELECT strftime('%Y-%m', created, 'unixepoch') AS month, count(*) FILTER (WHERE type = 'charge') AS payments,
       printf('$%,d', sum(amount) FILTER (WHERE type = 'charge') / 100) AS charged,
       printf('$%,d', sum(amount) FILTER (WHERE type IN ('charge', 'refund', 'adjustment')) / 100) AS revenue
FROM balance_transactions GROUP BY month ORDER BY month DESC LIMIT 6;`},
		{"Which plans earn the money?", `SELECT si.price ->> '$.nickname' AS plan, count(*) AS subscriptions,
       printf('$%,d', sum(si.quantity * (si.price ->> '$.unit_amount')) / 100) AS a_month
FROM subscription_items si JOIN subscriptions s ON s.id = si.subscription
WHERE s.status IN ('active', 'past_due') GROUP BY plan ORDER BY count(*) DESC;`},
		{"How many trials become customers, and how many of those leave?", `WITH paying AS (SELECT subscription, count(*) AS months FROM invoices WHERE status = 'paid' GROUP BY 1)
SELECT strftime('%Y-%m', s.created, 'unixepoch') AS began, count(*) AS trials,
       printf('%d %%', 100 * count(p.subscription) / count(*)) AS converted,
       count(*) FILTER (WHERE p.subscription IS NOT NULL AND s.status = 'canceled') AS have_left
FROM subscriptions s LEFT JOIN paying p ON p.subscription = s.id
GROUP BY began ORDER BY began DESC LIMIT 6 OFFSET 1;`},
	}
}

// demoID marks a database as the demo's. It is stored as SQLite's application_id.
const demoID = 0x5374_4465

// claim creates a file at path, marked as the demo's. It replaces a file from an earlier demo and refuses to touch
// any other, so that made-up rows never mix with real ones.
func claim(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if info != nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: choose a file with --to", path)
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > 0) {
		id, err := number(ctx, path, "PRAGMA application_id")
		if err != nil || id != demoID {
			return fmt.Errorf("%s was not created by the demo: choose another file with --to", path)
		}
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("replace the file of the previous demo: %w", err)
			}
		}
	}
	return withDatabase(path, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", demoID))
		return err
	})
}

// number returns the result of a statement that selects one number, or zero if that is NULL.
func number(ctx context.Context, path, statement string) (int64, error) {
	var n sql.NullInt64
	err := withDatabase(path, func(db *sql.DB) error { return db.QueryRowContext(ctx, statement).Scan(&n) })
	return n.Int64, err
}

// ask runs a query and returns its result as an aligned table.
func ask(ctx context.Context, path, statement string) (table string, err error) {
	err = withDatabase(path, func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, statement)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		lines := [][]string{columns}
		for rows.Next() {
			cells, targets := make([]string, len(columns)), make([]any, len(columns))
			for i := range cells {
				targets[i] = &cells[i]
			}
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			lines = append(lines, cells)
		}
		table = align(lines, 1)
		return rows.Err()
	})
	return table, err
}

// withDatabase calls do with the database in the file at path, and then closes it.
func withDatabase(path string, do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}
