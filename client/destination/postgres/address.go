package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connectTimeout limits each attempt to connect, unless the address sets a limit. Without one, a host that doesn't answer
// would delay a sync for minutes.
const connectTimeout = 20 * time.Second

// errUnparsable is the error for an address that can't be parsed. It doesn't quote the address, since any part of it may
// belong to a password.
var errUnparsable = errors.New("the database address is malformed: write it as " +
	"postgres://user@host:5432/database, with the characters @ : / ? # % and space in a password escaped as %40 %3A %2F %3F %23 %25 %20")

// ignoredParameters lists parameters of libpq that are ignored here, so that an address that works in psql works as it is.
var ignoredParameters = []string{"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	"fallback_application_name", "load_balance_hosts", "sslcompression", "client_encoding"}

// unsupportedParameters maps parameters of other drivers to what to write instead.
var unsupportedParameters = map[string]string{
	"pgbouncer": "used only by Prisma", "connection_limit": "used only by Prisma", "pool_timeout": "used only by Prisma",
	"socket_timeout": "used only by Prisma", "statement_cache_size": "used only by Prisma",
	"currentSchema": "used only by JDBC; use schema=NAME instead", "currentschema": "used only by JDBC; use schema=NAME instead",
	"prepareThreshold": "used only by JDBC", "reWriteBatchedInserts": "used only by JDBC", "sslfactory": "used only by JDBC",
	"ssl": "use sslmode=require instead", "sslcrl": "revocation lists are not supported", "sslcrldir": "revocation lists are not supported",
	"ssl_min_protocol_version": "not supported; the minimum is TLS 1.2", "ssl_max_protocol_version": "not supported",
	"requirepeer": "not supported", "gsslib": "not supported",
	"pool_max_conns": "a sync uses one connection", "pool_size": "a sync uses one connection", "max_overflow": "used only by SQLAlchemy",
	"binary_parameters": "used only by lib/pq", "target_server_type": "use target_session_attrs=primary instead",
	"targetServerType": "use target_session_attrs=primary instead",
	"schema":           "put it at the end instead, as in postgres:service=NAME?schema=stripe",
	"deletes":          "put it at the end instead, as in postgres:service=NAME?deletes=soft",
	"mode":             "put it at the end instead, as in postgres:service=NAME?mode=append",
}

var parameterPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// parse parses an address: a URL, or settings in libpq's "keyword=value" form. Either may follow "postgres:". Errors quote
// only parts that can't be secret.
func parse(address string) (*pgx.ConnConfig, error) {
	scheme, rest, found := strings.Cut(address, ":")
	isURL := found && strings.HasPrefix(rest, "//")
	if found && !isURL && (scheme == "postgres" || scheme == "postgresql") {
		address = rest // without this, the scheme would become part of the first keyword
	}
	if isURL && hasStrayAt(rest[2:]) {
		return nil, errUnparsable
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, settingError(err)
	}
	hosts := map[string]bool{config.Host: true}
	for _, fallback := range config.Fallbacks {
		hosts[fallback.Host] = true
	}
	for host := range hosts {
		if strings.ContainsRune(host, '@') { // the rest of a password that isn't escaped
			return nil, errUnparsable
		}
	}
	if len(hosts) > 1 && config.ValidateConnect == nil { // skip standbys, which are read-only
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	for name, value := range config.RuntimeParams {
		if !parameterPattern.MatchString(name) {
			return nil, errUnparsable
		}
		if slices.Contains(ignoredParameters, name) || (name == "gssencmode" && value != "require") {
			delete(config.RuntimeParams, name)
			continue
		}
		if name == "gssencmode" {
			return nil, errors.New("gssencmode=require in the address is not supported: remove it, and use TLS")
		}
		if why, ok := unsupportedParameters[name]; ok {
			return nil, fmt.Errorf("the address has the parameter %s: remove it (%s)", name, why)
		}
	}
	config.RuntimeParams["application_name"] = "stripe-connector"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	// Keep-alives detect a host that has vanished, as in a failover, without closing its connections.
	config.DialFunc = (&net.Dialer{Timeout: config.ConnectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 20 * time.Second, Interval: 10 * time.Second, Count: 3}}).DialContext
	return config, nil
}

// hasStrayAt reports whether a URL, its scheme cut off, contains an @ in an unexpected place. What precedes the @ is then
// most likely the rest of a password with an unescaped / ? or #, and would be shown as the database's name.
func hasStrayAt(rest string) bool {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		return false
	}
	path, query, _ := strings.Cut(rest[end:], "?")
	if strings.ContainsRune(path, '@') || strings.ContainsRune(rest, '#') {
		return true
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.ContainsRune(name, '@') || (strings.ContainsRune(value, '@') && name != "password" && name != "user") {
			return true
		}
	}
	return false
}

// settingError returns the error for an address that the driver rejects. The driver's own error repeats the address.
func settingError(err error) error {
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("the file %s, named by sslrootcert, sslcert, sslkey or passfile, can't be read: check its path and "+
			"permissions: %w", file.Path, file.Err)
	}
	message := err.Error()
	if i := strings.LastIndex(message, "`: "); i >= 0 {
		message = message[i+len("`: "):]
	}
	for _, w := range settingErrors {
		if strings.Contains(message, w.said) {
			return errors.New(w.sentence)
		}
	}
	return errUnparsable
}

// settingErrors maps the driver's errors about settings to sentences.
var settingErrors = []struct{ said, sentence string }{
	{"failed to parse", errUnparsable.Error()}, // first, since the rest of the driver's error is the user's text
	{"invalid port", "the port in the address is not a number between 1 and 65535, or a : / ? # or % in the password is not escaped, " +
		"such as %3A for :"},
	{"sslmode is invalid", "sslmode in the address must be disable, allow, prefer, require, verify-ca or verify-full"},
	{"sslcertmode", "sslcertmode in the address must be disable, allow or require"},
	{"unable to add CA", "the file named by sslrootcert contains no PEM certificate"},
	{"load cert", "the files named by sslcert and sslkey are not a PEM certificate and its key"},
	{`both "sslcert"`, "sslcert and sslkey must be set together: a certificate and its key"},
	{"sslkey", "the file named by sslkey contains no PEM key, or is encrypted and sslpassword is wrong"},
	{"connect_timeout", "connect_timeout in the address must be a number of seconds"},
	{"target_session_attrs", "target_session_attrs in the address must be any, read-write, read-only, primary, standby or prefer-standby"},
	{"channel_binding", "channel_binding in the address must be disable, prefer or require"},
	{"failed to read service", "the service named by the address or PGSERVICE is not in the service file (~/.pg_service.conf or PGSERVICEFILE)"},
	{"port numbers", "the numbers of hosts and ports in the address differ: set one port, or one for each host"},
	{"protocol_version", "min_protocol_version and max_protocol_version must be 3.0 or 3.2, and the first must not exceed the second"},
	{"require_auth", "require_auth in the address must be a list of authentication methods"},
}
