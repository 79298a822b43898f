package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// The limits of a statement that stores rows. More rows per statement wouldn't be faster, but take more memory.
const (
	statementRows  = 500
	statementBytes = 1 << 20
)

// array is an argument of a statement: the values of one column, which the statement unnests into rows.
type array []any

// Dimensions implements pgtype.ArrayGetter.
func (a array) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(a)), LowerBound: 1}}
}

// Index implements pgtype.ArrayGetter.
func (a array) Index(i int) any { return a[i] }

// IndexType implements pgtype.ArrayGetter.
func (a array) IndexType() any { return nil }

// pipeline sends statements that store rows, without waiting for their results, so that any number of them takes one round
// trip. The server executes a statement while the rows of the next one are split.
type pipeline struct {
	destination *Destination
	stream      *pgconn.Pipeline
	doing       []string // the prefix for each error, in the order of the results
	prepared    []string // the keys of the statements that this pipeline prepares
	builder     pgx.ExtendedQueryBuilder
}

// pipelined calls send with a pipeline and waits for the results of the statements that it sends. Until send returns, the
// connection can't be used otherwise. If ctx ends, the connection is lost.
func (d *Destination) pipelined(ctx context.Context, send func(*pipeline) error) error {
	p := &pipeline{destination: d, stream: d.conn.PgConn().StartPipeline(ctx)}
	err := send(p)
	if closed := p.close(); err == nil {
		err = closed
	}
	if err != nil {
		for _, key := range p.prepared { // unless the server skipped it
			delete(d.prepared, key)
		}
	}
	return err
}

// statement stores, changes or removes a row for each element of its arguments, which are arrays of these types.
type statement struct {
	doing string // the prefix for its errors
	text  string
	types []string
}

// arrayTypes maps the types of columns to the OIDs of their arrays.
var arrayTypes = map[string]uint32{
	"bigint": pgtype.Int8ArrayOID, "double precision": pgtype.Float8ArrayOID, "boolean": pgtype.BoolArrayOID, "text": pgtype.TextArrayOID,
	"jsonb": pgtype.JSONBArrayOID, "json": pgtype.JSONArrayOID, "timestamptz": pgtype.TimestamptzArrayOID,
}

// prepare returns the name of a prepared statement. Planning it for each execution would take longer than the execution.
func (p *pipeline) prepare(s statement, types []uint32) string {
	d := p.destination
	key := s.text + strings.Join(s.types, ",")
	name, ok := d.prepared[key]
	if !ok {
		d.statements++
		name = fmt.Sprintf("rows_%d", d.statements)
		p.stream.SendPrepare(name, s.text, types)
		p.doing, p.prepared = append(p.doing, s.doing), append(p.prepared, key)
		d.prepared[key] = name
	}
	return name
}

// arguments lists n arguments of a statement, each in a format such as "$%d".
func arguments(format string, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i+1)
	}
	return strings.Join(all, ", ")
}

// close waits for the results of the statements. It returns the first error of a statement. The server skips all
// statements after it.
func (p *pipeline) close() error {
	err := p.stream.Sync()
	for i := 0; i < len(p.doing) && err == nil; i++ {
		var result any
		if result, err = p.stream.GetResults(); err == nil {
			if reader, ok := result.(*pgconn.ResultReader); ok {
				_, err = reader.Close()
			}
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", p.doing[i], err)
		}
	}
	if closed := p.stream.Close(); err == nil {
		err = closed
	}
	return err
}

// feed collects rows for a statement, and sends the statement whenever there are enough of them.
type feed struct {
	pipeline  *pipeline
	statement statement
	columns   []array
	bytes     int
}

// add adds a row: the statement's arguments, possibly followed by other values.
func (f *feed) add(values []any) error {
	if f.columns == nil {
		f.columns = make([]array, len(f.statement.types))
	}
	for i := range f.columns {
		f.columns[i] = append(f.columns[i], values[i])
		if text, ok := values[i].(string); ok {
			f.bytes += len(text)
		}
	}
	if len(f.columns[0]) < statementRows && f.bytes < statementBytes {
		return nil
	}
	return f.flush()
}

// flush sends the statement for the rows that are left.
func (f *feed) flush() error {
	if f.columns == nil || len(f.columns[0]) == 0 {
		return nil
	}
	var described pgconn.StatementDescription
	for _, name := range f.statement.types {
		described.ParamOIDs = append(described.ParamOIDs, arrayTypes[name])
	}
	args := make([]any, len(f.columns))
	for i, column := range f.columns {
		args[i] = column
	}
	p := f.pipeline
	if err := p.builder.Build(p.destination.conn.TypeMap(), &described, args); err != nil {
		return fmt.Errorf("%s: %w", f.statement.doing, err)
	}
	p.stream.SendQueryPrepared(p.prepare(f.statement, described.ParamOIDs), p.builder.ParamValues, p.builder.ParamFormats, nil)
	p.doing = append(p.doing, f.statement.doing)
	for i := range f.columns {
		clear(f.columns[i])
		f.columns[i] = f.columns[i][:0]
	}
	f.bytes = 0
	return p.stream.Flush()
}
