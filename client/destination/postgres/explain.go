package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errUnparsable is the error of an address that is none. It repeats nothing of it: there may be a password in it.
var errUnparsable = errors.New("the address of the database cannot be understood: write it as " +
	"postgres://user@host:5432/database, with signs in the password escaped as in %40 for @")

// unreachable is the error of a database that cannot be connected to.
func unreachable(config *pgx.ConnConfig, err error) error {
	where := fmt.Sprintf("database %s at %s:%d", config.Database, config.Host, config.Port)
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch failure.Code {
		case "28P01", "28000": // invalid_password, invalid_authorization_specification
			return fmt.Errorf("%s refuses user %s: check the user and the password (in the address, PGPASSWORD or ~/.pgpass): %s",
				where, config.User, failure.Message)
		case "3D000": // invalid_catalog_name
			return fmt.Errorf("there is no %s: create it, or choose another: %s", where, failure.Message)
		}
		return fmt.Errorf("%s refuses the connection: %s", where, failure.Message)
	}
	if inner := errors.Unwrap(err); inner != nil { // the outer error repeats settings
		err = inner
	}
	return fmt.Errorf("%s cannot be reached: check that it runs and that host and port are right: %w", where, err)
}

// explain adds to an error what it means for the user and how to mend it. Values of rows, which the server puts into the
// detail of an error, are left out: they are a customer's data.
func (d *Destination) explain(err error) error {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	said := failure.Message + " (SQLSTATE " + failure.Code + ")"
	switch {
	case strings.HasPrefix(failure.Code, "22"): // data_exception: the message quotes the value
		said = "SQLSTATE " + failure.Code
		if failure.ColumnName != "" || failure.TableName != "" {
			said += " in column " + failure.ColumnName + " of table " + failure.TableName
		}
		return fmt.Errorf("%s does not take a value: %s: this is a bug, please report it", d.where, said)
	case failure.Code == "42501": // insufficient_privilege
		return fmt.Errorf("the user may not write to %s: grant it USAGE and CREATE on the schema: %s", d.where, said)
	case failure.Code == "42P16", failure.Code == "2BP01", failure.Code == "0A000": // a view depends on a column, and the like
		return fmt.Errorf("a table in %s cannot be changed as its stream's schema did; drop what depends on it, sync, and "+
			"make it again: %s", d.where, said)
	case strings.HasPrefix(failure.Code, "53"): // insufficient_resources
		return fmt.Errorf("the server of %s has no room left: make some and sync again: %s", d.where, said)
	case strings.HasPrefix(failure.Code, "57"): // operator_intervention
		return fmt.Errorf("the server of %s ended the sync, which goes on from there the next time: %s", d.where, said)
	}
	return fmt.Errorf("%s: %s", d.where, said)
}
