package rows

import "fmt"

// RefusedTable is the name of the table of records that could not be stored. Each Begin retries them.
const RefusedTable = "_stripe_connector_refused"

// InvalidKeyError is the error for a record whose key can't be stored, such as a key that contains a NUL.
type InvalidKeyError struct {
	Stream, Field string
	Kind          Kind
}

func (m *InvalidKeyError) Error() string {
	return fmt.Sprintf("record of %s has a value of its key %q that a column of kind %s cannot hold", m.Stream, m.Field, m.Kind)
}
