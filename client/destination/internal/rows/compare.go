package rows

import (
	"errors"
	"fmt"
	"strings"
)

// Dialect is how a database compares values.
type Dialect struct {
	Parameter string                               // the format of the n-th parameter
	Same      string                               // the operator that treats NULL like any other value
	Cast      func(value string, kind Kind) string // makes a value comparable to others of its kind
}

// Compare returns the query that compares a row with a record, and the indexes of its parameters among the values of
// [Splitter.Split]. It yields no row if there is none, and otherwise whether they are equal. The name must be quoted already.
func (t *Table) Compare(name, exists string, d Dialect) (query string, values []int) {
	condition := func(column, operator string, kind Kind, i int) string {
		values = append(values, i)
		return d.Cast(Quote(column), kind) + " " + operator + " " + d.Cast(fmt.Sprintf(d.Parameter, len(values)), kind)
	}
	var same, key []string
	for i, c := range t.Columns {
		if i < t.Keys {
			key = append(key, condition(c.Name, "=", c.Kind, i))
		} else {
			same = append(same, condition(c.Name, d.Same, c.Kind, i))
		}
	}
	same = append(same, condition(Extra, d.Same, JSON, len(t.Columns)+ExtraAt))
	key = append(key, condition(Account, "=", Text, len(t.Columns)+AccountAt))
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s AND %s", strings.Join(same, " AND "), name, strings.Join(key, " AND "), exists), values
}

// Existing returns the condition for rows whose object exists at the source. In append mode, a row is a version, so there is none.
func Existing(appends, softDeletes bool) (string, error) {
	switch {
	case appends:
		return "", errors.New("with mode=append, a table has all versions of an object, which can't be compared with the source")
	case softDeletes:
		return "_deleted_at IS NULL", nil
	}
	return "true", nil
}

// ShownKey returns the key of a row with these values, for display.
func (t *Table) ShownKey(values []any) string {
	var parts []string
	for _, v := range values[:t.Keys] {
		parts = append(parts, fmt.Sprint(v))
	}
	key := strings.Join(parts, " ")
	if account, _ := values[len(t.Columns)+AccountAt].(string); account != "" {
		key += " of " + account
	}
	return key
}
