package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/internal/rows"
)

// Error codes of the server used in the code: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	lockNotAvailable      = "55P03"
	insufficientPrivilege = "42501"
	readOnlyTransaction   = "25006"
)

// serverMessage returns the server's message, to be appended to an error. It omits the message of a data exception, which quotes
// the value, and the detail of any error, which may quote values. Both are customer data.
func serverMessage(failure *pgconn.PgError) string {
	if strings.HasPrefix(failure.Code, "22") {
		return "SQLSTATE " + failure.Code
	}
	return failure.Message + " (SQLSTATE " + failure.Code + ")"
}

// explain turns err into an error for the user: what is wrong, how to fix it, and what the server said. It may query the
// server, so the failed transaction must be over. Temporary errors become interruptions.
func (d *Destination) explain(ctx context.Context, err error) error {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if _, done := errors.AsType[*client.Interruption](err); done || err == nil {
		return err
	}
	if !ok {
		return d.connectionError(ctx, err)
	}
	prefix := ""
	if outer, _, found := strings.Cut(err.Error(), ": "+failure.Error()); found {
		prefix = outer + ": " // what the caller was doing
	}
	explained := d.describe(ctx, failure)
	if prefix != "" {
		explained = fmt.Errorf("%s%w", prefix, explained)
	}
	if isTemporary(failure) || isGone(failure) {
		return &client.Interruption{Err: explained}
	}
	return explained
}

// isGone reports whether something was dropped or renamed during a sync. Begin restores it.
func isGone(failure *pgconn.PgError) bool {
	return failure.Where == "" && (failure.Code == "42P01" || failure.Code == "42703" || failure.Code == "3F000") // not in a trigger
}

// isTemporary reports whether a retry can succeed, possibly after the session named in the error has been dealt with.
func isTemporary(failure *pgconn.PgError) bool {
	switch failure.Code {
	case lockNotAvailable, "40001", "40P01", "53300", "25P03", "25P04": // serialization, deadlock, no slots, timeouts between statements
		return true
	}
	return strings.HasPrefix(failure.Code, "08") || strings.HasPrefix(failure.Code, "57")
}

// describe returns an error that says what an error of the server means.
func (d *Destination) describe(ctx context.Context, failure *pgconn.PgError) error {
	message := serverMessage(failure)
	switch failure.Code {
	case insufficientPrivilege:
		return d.privilegeError(ctx, failure)
	case lockNotAvailable:
		return d.lockError(ctx, failure, false, append(d.names[:len(d.names):len(d.names)], rows.StateTable, rows.TablesTable, rows.RefusedTable)...)
	case readOnlyTransaction:
		return fmt.Errorf("the server of %s is read-only, as a standby is: connect to the primary (with several hosts in the address, "+
			"target_session_attrs=primary finds it): %s", d.where, message)
	case "53100": // disk_full
		return fmt.Errorf("the disk of the server of %s is full: free space there, or move the tables to another tablespace, and sync "+
			"again: %s", d.where, message)
	case "53200": // out_of_memory
		return fmt.Errorf("the server of %s is out of memory: lower work_mem or give it more, and sync again: %s", d.where, message)
	case "53300": // too_many_connections
		return fmt.Errorf("the server of %s has no connections left: raise max_connections or the limit of user %s, or end sessions that "+
			"are idle: %s", d.where, d.config.User, message)
	case "40001", "40P01":
		return fmt.Errorf("another session changed the same rows of %s at the same time: %s", d.where, message)
	case "42P16", "2BP01", "0A000": // for example, a view depends on a column
		return fmt.Errorf("a table in %s can't follow its stream's changed schema; drop what depends on it, sync, and "+
			"re-create it: %s", d.where, message)
	case "23502": // not_null_violation
		return fmt.Errorf("column %[1]s of table %[2]s in %[3]s must not be NULL, but syncs never set it: give it a default (ALTER TABLE "+
			"%[2]s ALTER COLUMN %[1]s SET DEFAULT …) or DROP NOT NULL: %[4]s", failure.ColumnName, failure.TableName, d.where, message)
	case "57014": // query_canceled
		return fmt.Errorf("an administrator or a timeout cancelled a statement in %s: %s", d.where, message)
	case "42P01", "42703", "3F000", "42883": // undefined_table, undefined_column, invalid_schema_name, undefined_function
		if failure.Where != "" {
			return fmt.Errorf("a trigger on a table in %s failed: fix it, or drop it: %s: %s", d.where, origin(failure), message)
		}
		return fmt.Errorf("a table, a column or the schema was dropped or renamed while a sync was writing to %s: sync again: %s", d.where, message)
	case "58030", "58P01": // io_error, undefined_file
		return fmt.Errorf("the server of %s cannot write to its disk: check the disk and the server's log: %s", d.where, message)
	}
	switch failure.Code[:min(2, len(failure.Code))] {
	case "22": // data_exception
		if failure.ColumnName != "" || failure.TableName != "" {
			message += " in column " + failure.ColumnName + " of table " + failure.TableName
		}
		return fmt.Errorf("%s rejected a value: this is a bug, please report it: %s", d.where, message)
	case "23": // integrity_constraint_violation
		return fmt.Errorf("constraint %s of table %s in %s rejected a row: drop the constraint, or make it accept what Stripe has: %s",
			failure.ConstraintName, failure.TableName, d.where, message)
	case "53": // insufficient_resources
		return fmt.Errorf("the server of %s has no space left: free some, then sync again: %s", d.where, message)
	case "54": // program_limit_exceeded
		return fmt.Errorf("a row is too large for table %s in %s or one of its indexes: drop any index that a sync didn't create: %s",
			failure.TableName, d.where, message)
	case "57": // operator_intervention
		return fmt.Errorf("the server of %s shut down, restarted, or ended the session; the next sync resumes where this one stopped: %s", d.where, message)
	case "P0": // raise_exception: its message is written by the user, and may contain values
		return fmt.Errorf("a trigger on a table in %s rejected a row: change the trigger: %s (SQLSTATE %s)", d.where, origin(failure), failure.Code)
	}
	return fmt.Errorf("%s: %s", d.where, message)
}

// origin names the function that raised an error.
func origin(failure *pgconn.PgError) string {
	first, _, _ := strings.Cut(failure.Where, "\n")
	return first
}

// connectionError explains an error that didn't come from the server. If the connection is gone, it is an interruption.
func (d *Destination) connectionError(ctx context.Context, err error) error {
	if ctx.Err() != nil || d.conn == nil || !d.conn.IsClosed() {
		return err
	}
	if _, timeout := errors.AsType[net.Error](err); !timeout && !strings.Contains(err.Error(), "closed") && !strings.Contains(err.Error(), "EOF") {
		return err // another error closed the connection
	}
	return &client.Interruption{Err: fmt.Errorf("the connection to %s was lost: check that the server is running and the network is up: %w", d.where, err)}
}

// unreachable returns the error for a failed connection to the database.
func unreachable(config *pgx.ConnConfig, err error) error {
	where := fmt.Sprintf("database %s at %s:%d", config.Database, config.Host, config.Port)
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		explained := accessError(config, where, failure)
		if isTemporary(failure) {
			return &client.Interruption{Err: explained}
		}
		return explained
	}
	if sentence := tlsProblem(config, err); sentence != "" {
		return fmt.Errorf("%s: %s: %w", where, sentence, innermost(err))
	}
	if message := err.Error(); strings.Contains(message, "body length") || strings.Contains(message, "unexpected message") {
		return fmt.Errorf("the server at %s:%d does not speak PostgreSQL's protocol: check host and port: %w", config.Host, config.Port, innermost(err))
	}
	explained := fmt.Errorf("%s can't be reached: check that it is running and that host and port are correct: %w", where, innermost(err))
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		explained = fmt.Errorf("%s can't be reached, because the host name can't be resolved: check its spelling: %w", where, innermost(err))
	}
	return &client.Interruption{Err: explained}
}

// accessError explains the server's refusal of a connection.
func accessError(config *pgx.ConnConfig, where string, failure *pgconn.PgError) error {
	message := serverMessage(failure)
	switch failure.Code {
	case "28P01": // invalid_password
		return fmt.Errorf("%s refuses user %s: check the user and the password (in the address, PGPASSWORD or ~/.pgpass): %s",
			where, config.User, message)
	case "28000": // invalid_authorization_specification
		return fmt.Errorf("%s refuses user %s: check the user and the password (in the address, PGPASSWORD or ~/.pgpass), that the role "+
			"has LOGIN, and that pg_hba.conf admits it from here, with or without TLS: %s", where, config.User, message)
	case "3D000": // invalid_catalog_name
		return fmt.Errorf("%s doesn't exist: create it, or choose another: %s", where, message)
	case "53300": // too_many_connections
		return fmt.Errorf("%s has no connections left: raise max_connections or the limit of user %s, or end sessions that are idle: %s",
			where, config.User, message)
	case "57P03": // cannot_connect_now
		return fmt.Errorf("%s is starting up or shutting down: try again in a moment: %s", where, message)
	case "42704", "22023", "55P02", "42602": // a parameter that is unknown, has an invalid value, or can't be set
		return fmt.Errorf("%s rejects a parameter in the address or in PGOPTIONS: remove it: %s", where, message)
	case insufficientPrivilege:
		return fmt.Errorf("%s does not admit user %s: have its owner run GRANT CONNECT ON DATABASE %q TO %q, and remove parameters from "+
			"the address that only a superuser may set: %s", where, config.User, config.Database, config.User, message)
	}
	if strings.HasPrefix(failure.Code, "08") {
		if strings.Contains(failure.Message, "startup parameter") {
			return fmt.Errorf("the pooler of %s rejects a parameter in the address or in PGOPTIONS: remove it: %s", where, message)
		}
		if strings.Contains(failure.Message, "no such database") {
			return fmt.Errorf("%s doesn't exist: choose another, or add it to the pooler: %s", where, message)
		}
	}
	return fmt.Errorf("%s refuses the connection: %s", where, message)
}

// tlsProblem describes the problem with TLS, or returns "" if the error has another cause.
func tlsProblem(config *pgx.ConnConfig, err error) string {
	unknown, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("its certificate is not for %s: use the name in the certificate, or sslmode=verify-ca", config.Host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "its certificate has expired or is not valid yet: renew it, and check the clock"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || (isUnknown && unknown.Cert != nil) {
		return "its certificate is signed by an untrusted authority: name that authority's certificate with sslrootcert=FILE"
	}
	message := err.Error()
	switch {
	case strings.Contains(message, "server refused TLS"):
		return "the server does not offer TLS, which sslmode requires: turn on ssl in postgresql.conf, or use sslmode=disable if the network is trusted"
	case strings.Contains(message, "certificate required"), strings.Contains(message, "remote error: tls"):
		return "the server refuses the TLS connection: it may ask for a client certificate (sslcert=FILE and sslkey=FILE)"
	case strings.Contains(message, "first record does not look like a TLS handshake"):
		return "the server does not speak TLS: check host and port, or use sslmode=disable if the network is trusted"
	}
	return ""
}

// innermost returns the cause of a failed connection. The driver's errors around it repeat the address.
func innermost(err error) error {
	for _, code := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH, os.ErrDeadlineExceeded,
		os.ErrNotExist, os.ErrPermission, context.DeadlineExceeded} {
		if errors.Is(err, code) {
			return code
		}
	}
	for {
		switch wrapped := err.(type) { //nolint:errorlint // each layer in turn
		case interface{ Unwrap() error }:
			inner := wrapped.Unwrap()
			if inner == nil {
				return err
			}
			err = inner
		case interface{ Unwrap() []error }:
			all := wrapped.Unwrap()
			if len(all) == 0 {
				return err
			}
			err = all[0]
		default:
			return err
		}
	}
}
