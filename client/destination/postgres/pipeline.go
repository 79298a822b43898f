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

// pipeline sends statements without waiting for their results, so that any number of them takes one round trip. The server
// executes a statement while the next one is prepared. After an error, nothing more is sent.
type pipeline struct {
	destination *Destination
	stream      *pgconn.Pipeline
	err         error
	sent        []result // of the statements whose results have not been received, in order
	requested   int      // the number of these that the server was asked for
	doing       string   // the prefix for errors of the statements that are added, if any
	prepared    []string // the keys of the statements that this pipeline prepares
	builder     pgx.ExtendedQueryBuilder
	buffer      []byte // of the arguments last sent
}

// result says what to do with the result of a statement.
type result struct {
	doing   string               // the prefix for its error, if any
	collect func(pgx.Rows) error // reads its rows; nil if there are none
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

// exec adds a statement without a result.
func (p *pipeline) exec(statement string, args ...any) { p.query(nil, statement, args...) }

// query adds a statement whose rows are read by collect.
func (p *pipeline) query(collect func(pgx.Rows) error, statement string, args ...any) {
	if p.err != nil {
		return
	}
	if p.err = p.builder.Build(p.destination.conn.TypeMap(), nil, args); p.err == nil {
		p.stream.SendQueryParams(statement, p.builder.ParamValues, nil, p.builder.ParamFormats, nil)
		p.sent = append(p.sent, result{p.doing, collect})
	}
}

// scan adds a statement that returns at most one row, of one value, and stores it in value.
func (p *pipeline) scan(statement string, value any, args ...any) {
	p.query(func(answer pgx.Rows) error {
		_, err := pgx.ForEachRow(answer, []any{value}, func() error { return nil })
		return err
	}, statement, args...)
}

// boolean adds a statement that returns at most one row, of one boolean, for which found is called.
func (p *pipeline) boolean(found func(bool), statement string, args ...any) {
	p.query(func(answer pgx.Rows) error {
		var value bool
		_, err := pgx.ForEachRow(answer, []any{&value}, func() error {
			found(value)
			return nil
		})
		return err
	}, statement, args...)
}

// flush sends the statements added so far.
func (p *pipeline) flush() {
	if p.err == nil {
		p.err = p.stream.Flush()
	}
}

// request sends the statements added so far and asks the server for their results.
func (p *pipeline) request() {
	if p.err == nil {
		p.stream.SendFlushRequest()
		p.requested = len(p.sent)
		p.flush()
	}
}

// await waits for the results of the statements added so far. It returns the first error of the pipeline.
func (p *pipeline) await() error {
	p.request()
	return p.receive()
}

// receive waits for the results that were requested. It returns the first error of the pipeline.
func (p *pipeline) receive() error {
	for ; p.err == nil && p.requested > 0; p.requested-- {
		next := p.sent[0]
		p.sent = p.sent[1:]
		if p.err = p.read(next); p.err != nil && next.doing != "" {
			p.err = fmt.Errorf("%s: %w", next.doing, p.err)
		}
	}
	return p.err
}

// read waits for the next result.
func (p *pipeline) read(next result) error {
	got, err := p.stream.GetResults()
	reader, ok := got.(*pgconn.ResultReader)
	switch {
	case err != nil || !ok:
		return err
	case next.collect == nil:
		_, err = reader.Close()
		return err
	}
	answer := pgx.RowsFromResultReader(p.destination.conn.TypeMap(), reader)
	err = next.collect(answer)
	answer.Close()
	if answer.Err() != nil {
		return answer.Err()
	}
	return err
}

// close waits for all results. It returns the first error of the pipeline.
func (p *pipeline) close() error {
	synced := p.stream.Sync()
	if p.err == nil {
		p.err = synced
	}
	p.requested = len(p.sent)
	_ = p.receive()
	if closed := p.stream.Close(); p.err == nil {
		p.err = closed
	}
	return p.err
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
		p.sent, p.prepared = append(p.sent, result{doing: s.doing}), append(p.prepared, key)
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

// feed collects rows for a statement, and sends the statement whenever there are enough of them.
type feed struct {
	pipeline  *pipeline
	statement statement
	columns   []array
	bytes     int
}

// add adds a row: the statement's arguments, possibly followed by other values.
func (f *feed) add(values []any) {
	if f.columns == nil {
		f.columns = make([]array, len(f.statement.types))
	}
	for i := range f.columns {
		f.columns[i] = append(f.columns[i], values[i])
		if text, ok := values[i].(string); ok {
			f.bytes += len(text)
		}
	}
	if len(f.columns[0]) == statementRows || f.bytes >= statementBytes {
		f.flush()
	}
}

// flush sends the statement for the rows that are left.
func (f *feed) flush() {
	p := f.pipeline
	if p.err != nil || f.columns == nil || len(f.columns[0]) == 0 {
		return
	}
	var oids []uint32
	var values [][]byte
	buffer := p.buffer[:0]
	for i, name := range f.statement.types {
		start, oid := len(buffer), arrayTypes[name]
		if buffer, p.err = p.destination.conn.TypeMap().Encode(oid, pgtype.BinaryFormatCode, f.columns[i], buffer); p.err != nil {
			p.err = fmt.Errorf("%s: %w", f.statement.doing, p.err)
			return
		}
		oids, values = append(oids, oid), append(values, buffer[start:])
	}
	p.buffer = buffer
	p.stream.SendQueryPrepared(p.prepare(f.statement, oids), values, []int16{pgtype.BinaryFormatCode}, nil)
	p.sent = append(p.sent, result{doing: f.statement.doing})
	for i := range f.columns {
		clear(f.columns[i])
		f.columns[i] = f.columns[i][:0]
	}
	f.bytes = 0
	p.flush()
}
