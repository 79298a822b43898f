package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// replacements calls add for the parent of each OPERATION_DELETE_MATCHING, once per parent: with the parent, the account, and
// the _as_of of the last one.
func (d *Destination) replacements(t *table, batches []*connectorv1.RecordBatch, add func([]any)) error {
	known := map[string]bool{}
	for _, batch := range slices.Backward(batches) {
		for _, record := range slices.Backward(batch.GetRecords()) {
			if record.GetOperation() != connectorv1.Operation_OPERATION_DELETE_MATCHING {
				continue
			}
			parent, err := d.splitter.Parent(t.Table, record)
			if err != nil {
				return err
			}
			key := string(t.AppendParent(nil, batch.GetAccount(), parent))
			if known[key] {
				continue
			}
			known[key] = true
			add([]any{parent, batch.GetAccount(), asOf(record)})
		}
	}
	return nil
}

// asOf returns the record's as_of as a time.Time, or nil.
func asOf(record *connectorv1.Record) any {
	if at := record.GetAsOf(); at != nil {
		return at.AsTime()
	}
	return nil
}

// replace notes an OPERATION_DELETE_MATCHING for the records before it.
func (n *newest) replace(batch *connectorv1.RecordBatch, record *connectorv1.Record) {
	var parent any
	if parent, n.err = n.d.splitter.Parent(n.t.Table, record); n.err != nil {
		return
	}
	n.key = n.t.AppendParent(n.key[:0], batch.GetAccount(), parent)
	if _, ok := n.replaced[string(n.key)]; !ok {
		n.replaced[string(n.key)] = asOf(record)
	}
}

// replacedAt reports whether a later record replaces the rows of this record's parent, and the _as_of of that record.
func (n *newest) replacedAt(batch *connectorv1.RecordBatch) (asOf any, replaced bool) {
	if len(n.replaced) == 0 {
		return nil, false
	}
	asOf, replaced = n.replaced[string(n.t.AppendParent(nil, batch.GetAccount(), n.values[n.t.Parent]))]
	return asOf, replaced
}

// replace returns the statement that removes or marks the rows of parents, given each parent, its account, and when its
// rows were replaced.
func (t *table) replace(opts rows.Options) statement {
	parent := t.Columns[t.Parent]
	return t.removeMatching(opts, []string{parent.Name, rows.Account}, []string{types[parent.Kind], ownType(rows.Account)})
}

// replacement is an OPERATION_DELETE_MATCHING in append mode.
type replacement struct {
	account string
	parent  any
	batch   *connectorv1.RecordBatch
	record  *connectorv1.Record
	before  int64 // the number of rows before it in its commit
}

// note records an OPERATION_DELETE_MATCHING for settle: which rows did not come back is known only at the end of the
// commit.
func (v *versions) note(batch *connectorv1.RecordBatch, record *connectorv1.Record) {
	parent, err := v.d.splitter.Parent(v.t.Table, record)
	v.err = err
	v.replacements = append(v.replacements, replacement{batch.GetAccount(), parent, batch, record, v.yielded})
}

// settle appends, in append mode, a DELETE for each object of a replaced parent that did not come back in this commit.
func (d *Destination) settle(ctx context.Context, tx pgx.Tx, t *table, v *versions) error {
	if len(v.replacements) == 0 || t.Keys == 0 {
		return nil
	}
	var accounts, parents []string
	var generations, after []int64
	var asOf []*time.Time
	var events []*string
	known := map[string]bool{}
	for i := len(v.replacements) - 1; i >= 0; i-- { // only the last one for each parent counts
		r := v.replacements[i]
		key := string(t.AppendParent(nil, r.account, r.parent))
		if known[key] {
			continue
		}
		known[key] = true
		accounts, parents = append(accounts, r.account), append(parents, fmt.Sprint(r.parent))
		generations, after = append(generations, r.batch.GetGeneration()), append(after, v.yielded-r.before)
		var at *time.Time
		if r.record.GetAsOf() != nil {
			instant := r.record.GetAsOf().AsTime()
			at = &instant
		}
		var event *string
		if id := r.record.GetEventId(); id != "" {
			event = &id
		}
		asOf, events = append(asOf, at), append(events, event)
	}
	_, err := tx.Exec(ctx, t.settle(), accounts, parents, generations, asOf, events, after)
	return err
}

// settle returns the statement that appends a DELETE for each object whose newest version has one of these parents and
// arrived before the parent was replaced. Versions of a commit have consecutive arrival numbers, so the highest numbers
// are those that arrived after the replacement.
func (t *table) settle() string {
	var same []string
	for _, key := range t.PrimaryKey() {
		same = append(same, fmt.Sprintf("later.%[1]s = version.%[1]s", rows.Quote(key)))
	}
	var keys []string
	for _, key := range t.Names()[:t.Keys] {
		keys = append(keys, "version."+rows.Quote(key))
	}
	parent := t.Columns[t.Parent]
	return fmt.Sprintf(`INSERT INTO %[1]s (%[2]s, _account, _generation, _as_of, _event_id, _operation)
SELECT %[3]s, version._account, parent.generation, parent.as_of, parent.event_id, 'DELETE'
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $6::bigint[])
	AS parent (account, id, generation, as_of, event_id, after)
JOIN %[1]s AS version ON version.%[4]s = parent.id::%[5]s AND version._account = parent.account
WHERE version._operation = 'UPSERT' AND version._arrival <= (SELECT max(_arrival) FROM %[1]s) - parent.after
	AND NOT EXISTS (SELECT 1 FROM %[1]s AS later WHERE %[6]s AND later._arrival > version._arrival)`,
		t.qualified(), rows.QuoteAll(t.Names()[:t.Keys]), strings.Join(keys, ", "), rows.Quote(parent.Name), types[parent.Kind],
		strings.Join(same, " AND "))
}

// indexParent returns the statement that creates the index for finding the rows of a parent, unless it exists.
func (t *table) indexParent(opts rows.Options, now foundTable) []string {
	_, columns := t.ParentIndex(opts)
	if columns == nil || slices.Contains(now.indexes, strings.Join(columns, ", ")) {
		return nil
	}
	return []string{fmt.Sprintf("CREATE INDEX ON %s (%s)", t.qualified(), rows.QuoteAll(columns))}
}
