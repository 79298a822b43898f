package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// question is one to ask the demo's database.
type question struct{ words, sql string }

// questions gives those that the demo asks. They can be pasted into sqlite3 as they are.
func questions() []question {
	return []question{
		{"How much was charged in the last months?", `SELECT strftime('%Y-%m', created, 'unixepoch') AS month, currency,
       count(*) AS charges, printf('%.2f', sum(amount) / 100.0) AS total
FROM charges WHERE status = 'succeeded'
GROUP BY month, currency ORDER BY month DESC, sum(amount) DESC LIMIT 6;`},
		{"Which customers have the most invoices?", `SELECT c.id AS customer, count(*) AS invoices, sum(i.status = 'paid') AS paid
FROM invoices i JOIN customers c ON c.id = i.customer
GROUP BY c.id ORDER BY invoices DESC, c.id LIMIT 5;`},
		{"What do subscriptions contain, by status?", `SELECT s.status, count(DISTINCT s.id) AS subscriptions, sum(si.quantity) AS items
FROM subscriptions s JOIN subscription_items si ON si.subscription = s.id
GROUP BY s.status ORDER BY subscriptions DESC;`},
	}
}

// demoID marks the demo's files, in the place that SQLite has for it.
const demoID = 0x5374_4465

// claim marks the file at path as the demo's. It refuses a file that is there and was not made by the demo, so that made-up
// rows are never mixed with real ones.
func claim(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	made := errors.Is(err, os.ErrNotExist) || (err == nil && info.Mode().IsRegular() && info.Size() == 0)
	if info != nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file with --to", path)
	}
	return withDatabase(path, func(db *sql.DB) error {
		if made {
			_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", demoID))
			return err
		}
		var id int
		if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil || id != demoID {
			return fmt.Errorf("%s was not made by the demo, which leaves it alone: choose another file with --to", path)
		}
		return nil
	})
}

// ask gives the rows of a statement as an aligned table.
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

// withDatabase opens the file at path while do runs.
func withDatabase(path string, do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}
