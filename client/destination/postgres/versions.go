package postgres

import (
	"fmt"
	"strings"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// sendNewest sends the statements that store the last version of each row of a stream.
func (d *Destination) sendNewest(p *pipeline, t *table, batches []*connectorv1.RecordBatch) error {
	if t.Parent >= 0 { // first, since it concerns rows from before this commit
		replace := feed{pipeline: p, statement: t.replace(d.opts)}
		if err := d.replacements(t, batches, replace.add); err != nil {
			return err
		}
		replace.flush()
	}
	source := &newest{versions: versions{d: d, t: t, batches: batches},
		seen: map[string]connectorv1.Operation{}, replaced: map[string]any{}}
	merge := feed{pipeline: p, statement: t.merge()}
	var gone [][]any
	for p.err == nil && source.next() {
		if !source.gone {
			merge.add(source.values)
			continue
		}
		own := source.values[len(t.Columns):]
		gone = append(gone, append(source.values[:t.Keys:t.Keys], own[rows.AccountAt], own[rows.AsOfAt]))
	}
	if source.err != nil {
		return fmt.Errorf("load %s: %w", t.Stream, source.err)
	}
	merge.flush()
	remove := feed{pipeline: p, statement: t.remove(d.opts)} // last, since it may concern versions that merge stored
	for _, key := range gone {
		remove.add(key)
	}
	remove.flush()
	return nil
}

// versions yields every record of a stream as a row, in order.
type versions struct {
	d       *Destination
	t       *table
	batches []*connectorv1.RecordBatch
	record  int   // the index in batches[0] of the next record
	values  []any // of the row
	err     error

	yielded      int64         // the number of rows yielded
	replacements []replacement // found between the rows
}

// next sets values to those of the next row, and reports whether there is one.
func (v *versions) next() bool {
	for v.err == nil && len(v.batches) > 0 {
		batch := v.batches[0]
		if v.record == len(batch.GetRecords()) {
			v.batches, v.record = v.batches[1:], 0
			continue
		}
		record := batch.GetRecords()[v.record]
		v.record++
		if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
			v.note(batch, record)
			continue
		}
		operation := v.split(batch, record)
		v.values[len(v.values)-1] = strings.TrimPrefix(operation.String(), "OPERATION_")
		v.yielded++
		return v.err == nil
	}
	return false
}

// split sets the values of a record, except for _operation.
func (v *versions) split(batch *connectorv1.RecordBatch, record *connectorv1.Record) connectorv1.Operation {
	if v.values == nil {
		v.values = make([]any, len(v.t.names))
	}
	v.err = v.d.splitter.Split(v.t.Table, batch, record, v.values[:len(v.t.Columns)+rows.OwnValues])
	switch record.GetOperation() {
	case connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE:
	default:
		v.err = rows.UnknownOperation(v.t.Stream, record.GetOperation())
	}
	return record.GetOperation()
}

// newest yields only the last version of each row, since a statement can't replace a row twice. It walks the records from
// the end and skips keys it has already seen. With soft deletes, it yields a deletion and then the version to mark as
// deleted.
//
// An OPERATION_DELETE_MATCHING applies to rows already in the table. Earlier records of its parent in the same commit are
// yielded as deletions.
type newest struct {
	versions
	gone     bool                             // whether the row is a deletion
	seen     map[string]connectorv1.Operation // the operation yielded last, by key
	replaced map[string]any                   // the _as_of of later OPERATION_DELETE_MATCHING records, by parent
	key      []byte
	marked   *any // the _as_of of a version to yield after the deletion that marks it; nil if there is none
}

// next sets values and gone to those of the next row, and reports whether there is one.
func (n *newest) next() bool {
	for n.err == nil {
		if n.marked != nil {
			n.values[len(n.t.Columns)+rows.AsOfAt], n.marked, n.gone = *n.marked, nil, false
			return true
		}
		last := len(n.batches) - 1
		if last < 0 {
			return false
		}
		batch := n.batches[last]
		left := len(batch.GetRecords()) - n.record // n.record counts from the end
		if left == 0 {
			n.batches, n.record = n.batches[:last], 0
			continue
		}
		n.record++
		record := batch.GetRecords()[left-1]
		if record.GetOperation() == connectorv1.Operation_OPERATION_DELETE_MATCHING {
			n.replace(batch, record)
		} else if n.convert(batch, record) {
			return true
		}
	}
	return false
}

// convert turns a record into a row and reports whether there is one to yield.
func (n *newest) convert(batch *connectorv1.RecordBatch, record *connectorv1.Record) bool {
	operation := n.split(batch, record)
	if n.err != nil {
		return false
	}
	const upsert, remove = connectorv1.Operation_OPERATION_UPSERT, connectorv1.Operation_OPERATION_DELETE
	n.key = n.t.AppendKey(n.key[:0], n.values)
	given, ok := n.seen[string(n.key)]
	if ok && (operation == remove || given == upsert || !n.d.opts.SoftDeletes) {
		return false
	}
	n.seen[string(n.key)] = operation
	n.gone = operation == remove
	if deletedAt, replaced := n.replacedAt(batch); replaced && !ok && operation == upsert {
		asOf := &n.values[len(n.t.Columns)+rows.AsOfAt]
		if n.d.opts.SoftDeletes {
			version := *asOf
			n.marked = &version
		}
		*asOf, n.gone = deletedAt, true
	}
	return true
}
