// Package rows lays streams out as tables and cuts records into their columns, alike for every SQL database: safe names,
// column kinds, what is ours in a row, and what a change of a schema does to a table.
package rows

import "errors"

// The columns that are ours. No column of a record has such a name: see [SafeName].
const (
	Account    = "_account"    // text: the account that the row belongs to, empty for the key's own
	Generation = "_generation" // integer: the generation in which the row came last
	AsOf       = "_as_of"      // instant: the object was at least this new. NULL if unknown
	EventID    = "_event_id"   // text: the event that caused this version. NULL if it was listed
	Extra      = "_extra"      // JSON object: what has no column. NULL if there is none
	SyncedAt   = "_synced_at"  // instant: when the row was stored
	DeletedAt  = "_deleted_at" // instant: since when the source has the object no more. NULL if it has it; soft deletes only
	Arrival    = "_arrival"    // integer: the order in which versions came; append mode only, the primary key
	Operation  = "_operation"  // text: UPSERT or DELETE; append mode only
)

// The places of what is ours in the values of a row, after those of the columns of its table.
const (
	AccountAt = iota
	GenerationAt
	AsOfAt // a time.Time or nil
	EventIDAt
	ExtraAt
	OwnValues // their number
)

// Options are those of every destination that has rows. The zero value works.
type Options struct {
	// SoftDeletes keeps the rows of objects that the source has no more, and says in the column _deleted_at since when.
	SoftDeletes bool
	// Append keeps every version of every object, in the order of their arrival, instead of the newest. A table made with
	// it cannot be used without it, nor the other way round.
	Append bool
}

// Check returns an error for options that exclude each other.
func (o Options) Check() error {
	if o.Append && o.SoftDeletes {
		return errors.New("append mode keeps a row for each deletion anyway: leave deletes=soft out")
	}
	return nil
}

// Own returns the columns that are ours in tables made with these options, but for the one that Append numbers.
func (o Options) Own() []string {
	own := []string{Account, Generation, AsOf, EventID, Extra, SyncedAt}
	switch {
	case o.Append:
		return append(own, Operation)
	case o.SoftDeletes:
		return append(own, DeletedAt)
	}
	return own
}
