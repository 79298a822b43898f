package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres"
	"github.com/stripe-connector/stripe-connector/client/destination/postgres/postgrestest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

const (
	benchRows   = 20_000
	commitRows  = 4000 // about 4 MiB of JSON, the size of a commit by Sync
	batchRows   = 50
	benchFields = 40
)

// BenchmarkLoad loads the same rows, of about 1 KB and 45 columns like charges, in three ways: through the destination;
// with plain COPY into the same table, which is the upper limit; and with one INSERT per row. The server flushes its
// writes to disk, as in production. Besides rows per second it reports rows per second of the client's CPU time, and the
// speed of COPY and INSERT relative to the destination.
//
//	go test ./client/destination/postgres -run '^$' -bench Load -benchtime 1x
func BenchmarkLoad(b *testing.B) {
	server := postgrestest.Start(b, "fsync=on", "max_wal_size=4GB")
	charges, commits := benchCommits(b)
	for range b.N {
		// Through the destination: into an empty table, then again over all its rows.
		schema := fmt.Sprintf("bench_%d", time.Now().UnixNano())
		d, err := postgres.Open(b.Context(), server.URL(""), postgres.Options{Schema: schema})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Begin(b.Context(), []*connectorv1.Stream{charges}); err != nil {
			b.Fatal(err)
		}
		load := func() float64 {
			begun := time.Now()
			for _, c := range commits {
				if err := d.Commit(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(begun).Seconds()
		}
		cpu := cpuTime()
		first := load()
		cpu = cpuTime() - cpu
		again := load()
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}

		conn, err := pgx.Connect(b.Context(), server.URL("search_path="+schema))
		if err != nil {
			b.Fatal(err)
		}
		names, values := stored(b, conn)
		copied := timed(b, conn, func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(b.Context(), pgx.Identifier{"charges"}, names, pgx.CopyFromRows(values))
			return err
		})
		const part = 20 // a fraction of the rows, since inserting all would take a minute
		insert := fmt.Sprintf("INSERT INTO charges (%s) VALUES (%s) ON CONFLICT (id, _account) DO UPDATE SET _as_of = excluded._as_of",
			strings.Join(names, ", "), placeholders(len(names)))
		inserted := timed(b, conn, func(tx pgx.Tx) error {
			for _, row := range values[:len(values)/part] {
				if _, err := tx.Exec(b.Context(), insert, row...); err != nil {
					return err
				}
			}
			return nil
		}) * part
		if err := conn.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(benchRows/first, "rows/s")
		b.ReportMetric(benchRows/again, "replaced-rows/s")
		b.ReportMetric(benchRows/cpu, "rows/client-cpu-s")
		b.ReportMetric(benchRows/copied, "copy-rows/s")
		b.ReportMetric(first/copied, "of-copy's-time")
		b.ReportMetric(benchRows/inserted, "insert-rows/s")
		b.ReportMetric(inserted/first, "times-faster-than-insert")
	}
}

// benchCommits returns commits with rows like those of charges.
func benchCommits(b *testing.B) (*connectorv1.Stream, []client.Commit) {
	properties := `"id":{"type":"string"},"amount":{"type":"integer"},"card":{"type":"object"}`
	for i := range benchFields {
		properties += fmt.Sprintf(`,"field_%d":{"type":[%q,"null"]}`, i, []string{"string", "integer", "boolean", "string"}[i%4])
	}
	var commits []client.Commit
	for i := 0; i < benchRows; i += batchRows {
		if i%commitRows == 0 {
			commits = append(commits, client.Commit{})
		}
		batch := &connectorv1.RecordBatch{Stream: "charges", Generation: 1}
		for n := i; n < i+batchRows; n++ {
			var data strings.Builder
			fmt.Fprintf(&data, `{"id":"ch_%024d","amount":%d,"card":{"brand":"visa","last4":"4242","checks":{"cvc":"pass","zip":null},"country":"US"}`, n*7919%benchRows, n)
			for f := range benchFields {
				fmt.Fprintf(&data, `,"field_%d":%s`, f, []string{`"some text of it"`, "1700000000", "false", "null"}[f%4])
			}
			data.WriteByte('}')
			batch.Records = append(batch.Records, &connectorv1.Record{
				Data: data.String(), Operation: upsert, AsOf: timestamppb.New(time.Unix(1_700_000_000, 0))})
		}
		last := &commits[len(commits)-1]
		last.Records = append(last.Records, batch)
	}
	return stream(b, "charges", "{"+properties+"}", "id"), commits
}

// stored reads the rows that the destination stored, in a form in which they can be stored again.
func stored(b *testing.B, conn *pgx.Conn) (names []string, values [][]any) {
	found, err := conn.Query(b.Context(), "SELECT * FROM charges")
	if err != nil {
		b.Fatal(err)
	}
	defer found.Close()
	for _, f := range found.FieldDescriptions() {
		names = append(names, f.Name)
	}
	for found.Next() {
		row, err := found.Values()
		if err != nil {
			b.Fatal(err)
		}
		for i, v := range row {
			if _, nested := v.(map[string]any); nested { // as the destination passes it: not decoded
				row[i] = `{"brand":"visa","last4":"4242","checks":{"cvc":"pass","zip":null},"country":"US"}`
			}
		}
		values = append(values, row)
	}
	if found.Err() != nil || len(values) != benchRows {
		b.Fatalf("%d rows are stored, %v, want %d", len(values), found.Err(), benchRows)
	}
	return names, values
}

// timed empties the table, fills it in a transaction, and returns the seconds that took, including the end of the
// transaction.
func timed(b *testing.B, conn *pgx.Conn, fill func(pgx.Tx) error) float64 {
	if _, err := conn.Exec(b.Context(), "TRUNCATE charges"); err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	if err := pgx.BeginFunc(b.Context(), conn, fill); err != nil {
		b.Fatal(err)
	}
	return time.Since(begun).Seconds()
}

func placeholders(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(all, ", ")
}
