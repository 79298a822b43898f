// Package rows maps streams to tables and records to rows, in the same way for every SQL database. It defines safe names,
// column kinds, the sync's own columns, and how a table follows a changed schema.
package rows

import "errors"

// The sync's own columns. Record columns never have such names: see [SafeName].
const (
	Account    = "_account"    // text: the account that the row belongs to; empty for the key's own account
	Generation = "_generation" // integer: the last generation in which the row was seen
	AsOf       = "_as_of"      // timestamp: the object is at least as recent as this; NULL if unknown
	EventID    = "_event_id"   // text: the event that caused this version; NULL if the object was listed
	Extra      = "_extra"      // JSON object: the fields without a column; NULL if there are none
	SyncedAt   = "_synced_at"  // timestamp: when the row was stored
	DeletedAt  = "_deleted_at" // timestamp: since when the source no longer has the object; NULL if it does; soft deletes only
	Arrival    = "_arrival"    // integer: the order in which versions arrived; append mode only, the primary key
	Operation  = "_operation"  // text: UPSERT or DELETE; append mode only
)

// Indexes of the sync's own values in a row. They follow those of the table's columns.
const (
	AccountAt = iota
	GenerationAt
	AsOfAt // a time.Time or nil
	EventIDAt
	ExtraAt
	OwnValues // the number of the sync's own values
)

// Options apply to every destination with tables. The zero value works.
type Options struct {
	// SoftDeletes keeps the rows of objects that the source no longer has and sets their _deleted_at.
	SoftDeletes bool
	// Append keeps every version of every object, in the order of arrival, instead of only the newest. A table created with it
	// can't be used without it, or vice versa.
	Append bool
}

// Check returns an error if the options contradict each other.
func (o Options) Check() error {
	if o.Append && o.SoftDeletes {
		return errors.New("deletes=soft can't be combined with mode=append, which keeps a row for each deletion anyway: remove deletes=soft")
	}
	return nil
}

// OwnColumns returns the sync's own columns in tables with these options, except _arrival, which the database numbers.
func (o Options) OwnColumns() []string {
	own := []string{Account, Generation, AsOf, EventID, Extra, SyncedAt}
	switch {
	case o.Append:
		return append(own, Operation)
	case o.SoftDeletes:
		return append(own, DeletedAt)
	}
	return own
}
