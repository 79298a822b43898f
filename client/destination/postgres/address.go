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
var errUnparsable = errors.New("the address of the database cannot be understood: write it as " +
	"postgres://user@host:5432/database, with the characters @ : / ? # % and space in a password escaped as %40 %3A %2F %3F %23 %25 %20")

// withoutEffect lists parameters of libpq that are ignored here, so that an address that works in psql works as it is.
var withoutEffect = []string{"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	"fallback_application_name", "load_balance_hosts", "sslcompression", "client_encoding"}

// foreign maps parameters of other drivers to what to write instead.
var foreign = map[string]string{
	"pgbouncer": "it belongs to Prisma", "connection_limit": "it belongs to Prisma", "pool_timeout": "it belongs to Prisma",
	"socket_timeout": "it belongs to Prisma", "statement_cache_size": "it belongs to Prisma",
	"currentSchema": "it belongs to JDBC; write schema=NAME instead", "currentschema": "it belongs to JDBC; write schema=NAME instead",
	"prepareThreshold": "it belongs to JDBC", "reWriteBatchedInserts": "it belongs to JDBC", "sslfactory": "it belongs to JDBC",
	"ssl": "write sslmode=require instead", "sslcrl": "revocation lists are not supported", "sslcrldir": "revocation lists are not supported",
	"ssl_min_protocol_version": "it is not supported, and TLS 1.2 is the least", "ssl_max_protocol_version": "it is not supported",
	"requirepeer": "it is not supported", "gsslib": "it is not supported",
	"pool_max_conns": "a sync uses one connection", "pool_size": "a sync uses one connection", "max_overflow": "it belongs to SQLAlchemy",
	"binary_parameters": "it belongs to lib/pq", "target_server_type": "write target_session_attrs=primary instead",
	"targetServerType": "write target_session_attrs=primary instead",
	"schema":           "write it at the end instead, as in postgres:service=NAME?schema=stripe",
	"deletes":          "write it at the end instead, as in postgres:service=NAME?deletes=soft",
	"mode":             "write it at the end instead, as in postgres:service=NAME?mode=append",
}

var parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// parse parses an address: a URL, or settings in libpq's "keyword=value" form. Either may follow "postgres:". Errors quote
// only parts that can't be secret.
func parse(address string) (*pgx.ConnConfig, error) {
	scheme, rest, found := strings.Cut(address, ":")
	isURL := found && strings.HasPrefix(rest, "//")
	if found && !isURL && (scheme == "postgres" || scheme == "postgresql") {
		address = rest // without this, the scheme would become part of the first keyword
	}
	if isURL && stranded(rest[2:]) {
		return nil, errUnparsable
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, wrongSetting(err)
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
		if !parameter.MatchString(name) {
			return nil, errUnparsable
		}
		if slices.Contains(withoutEffect, name) || (name == "gssencmode" && value != "require") {
			delete(config.RuntimeParams, name)
			continue
		}
		if name == "gssencmode" {
			return nil, errors.New("the address asks for gssencmode=require, and encryption by GSSAPI is not supported: leave it out, and use TLS")
		}
		if why, ok := foreign[name]; ok {
			return nil, fmt.Errorf("the address has the parameter %s: leave it out (%s)", name, why)
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

// stranded reports whether a URL, its scheme cut off, contains an @ in an unexpected place. What precedes the @ is then
// most likely the rest of a password with an unescaped / ? or #, and would be shown as the database's name.
func stranded(rest string) bool {
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

// wrongSetting returns the error for an address that the driver rejects. The driver's own error repeats the address.
func wrongSetting(err error) error {
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("the file %s, which sslrootcert, sslcert, sslkey or passfile names, cannot be read: check its path and "+
			"permissions: %w", file.Path, file.Err)
	}
	said := err.Error()
	if i := strings.LastIndex(said, "`: "); i >= 0 {
		said = said[i+len("`: "):]
	}
	for _, w := range wrong {
		if strings.Contains(said, w.said) {
			return errors.New(w.sentence)
		}
	}
	return errUnparsable
}

// wrong maps the driver's errors about settings to sentences.
var wrong = []struct{ said, sentence string }{
	{"failed to parse", errUnparsable.Error()}, // first, since the rest of the driver's error is the user's text
	{"invalid port", "the port in the address is not a number from 1 to 65535, or a : / ? # or % in the password is not escaped, " +
		"such as %3A for :"},
	{"sslmode is invalid", "sslmode in the address is none of disable, allow, prefer, require, verify-ca and verify-full"},
	{"sslcertmode", "sslcertmode in the address is none of disable, allow and require"},
	{"unable to add CA", "the file that sslrootcert names holds no certificate in PEM format"},
	{"load cert", "the files that sslcert and sslkey name are no pair of a certificate and its key in PEM format"},
	{`both "sslcert"`, "the address needs both sslcert and sslkey, a certificate and its key, or neither"},
	{"sslkey", "the file that sslkey names holds no key in PEM format, or is encrypted and sslpassword is wrong"},
	{"connect_timeout", "connect_timeout in the address is not a number of seconds"},
	{"target_session_attrs", "target_session_attrs in the address is none of any, read-write, read-only, primary, standby and prefer-standby"},
	{"channel_binding", "channel_binding in the address is none of disable, prefer and require"},
	{"failed to read service", "the service that the address or PGSERVICE names is not in the service file, which is ~/.pg_service.conf or PGSERVICEFILE"},
	{"port numbers", "the address has a list of hosts and another number of ports: write one port, or one for each host"},
	{"protocol_version", "min_protocol_version and max_protocol_version must be 3.0 or 3.2, and the first not above the second"},
	{"require_auth", "require_auth in the address is no list of authentication methods"},
}
