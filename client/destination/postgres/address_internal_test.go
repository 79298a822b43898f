package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		address, host, database, user, password string
		port                                    uint16
	}{
		"a URL":           {"postgres://me:pw@h:5433/db", "h", "db", "me", "pw", 5433},
		"escapes":         {"postgres://me:p%40%2F%3Aw@h/db", "h", "db", "me", "p@/:w", 5432},
		"keywords":        {"host=h port=5433 dbname=db user=me password=pw", "h", "db", "me", "pw", 5433},
		"after a scheme":  {"postgres:host=h port=5433 dbname=db user=me password=pw", "h", "db", "me", "pw", 5433},
		"another scheme":  {"postgresql:host=h dbname=db user=me password='p w'", "h", "db", "me", "p w", 5432},
		"of psql":         {"postgres://me@h/db?keepalives=1&keepalives_idle=30&gssencmode=prefer&tcp_user_timeout=5", "h", "db", "me", "", 5432},
		"options":         {"postgres://me@h/db?options=-c%20work_mem%3D64MB", "h", "db", "me", "", 5432},
		"password apart":  {"postgres://me@h/db?password=p%40w", "h", "db", "me", "p@w", 5432},
		"several hosts":   {"postgres://me@h,i/db", "h", "db", "me", "", 5432},
		"connect_timeout": {"postgres://me@h/db?connect_timeout=3", "h", "db", "me", "", 5432},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config, err := parse(test.address)
			if err != nil {
				t.Fatal(err)
			}
			if config.Host != test.host || config.Port != test.port || config.Database != test.database || config.User != test.user ||
				(test.password != "" && config.Password != test.password) {
				t.Errorf("got %s@%s:%d/%s", config.User, config.Host, config.Port, config.Database)
			}
			for parameter := range config.RuntimeParams {
				if parameter != "application_name" && parameter != "options" {
					t.Errorf("parameter %s would reach the server", parameter)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"postgres://me@h/db?pgbouncer=true":                              "parameter pgbouncer: remove it (used only by Prisma)",
		"postgres://me@h/db?connection_limit=1":                          "parameter connection_limit: remove it",
		"postgres://me@h/db?currentSchema=x":                             "parameter currentSchema: remove it (used only by JDBC; use schema=NAME instead)",
		"postgres://me@h/db?gssencmode=require":                          "gssencmode=require",
		"postgres://me@h/db?sslrootcert=/nowhere/ca.pem&sslmode=require": "the file /nowhere/ca.pem, named by sslrootcert, sslcert, sslkey or passfile, can't be read",
		"postgres://me@h/db?sslmode=require&sslrootcert=" + garbage:      "contains no PEM certificate",
		"postgres://me@h/db?sslmode=perhaps":                             "sslmode in the address must be disable",
		"postgres://me@h/db?sslcert=/x":                                  "sslcert and sslkey must be set together",
		"postgres://me@h/db?connect_timeout=soon":                        "connect_timeout in the address must be a number",
		"postgres://me@h/db?target_session_attrs=best":                   "target_session_attrs in the address must be any",
		"postgres://me@h:port/db":                                        "the port in the address is not a number",
		"postgres://me@h/db?service=nowhere":                             "the service named by the address or PGSERVICE",
		"postgres:nonsense":                                              "is malformed",
		"postgres:host=h dbname=db schema=s":                             "put it at the end instead, as in postgres:service=NAME?schema=stripe",
	} {
		if _, err := parse(address); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "password (") {
			t.Errorf("%s: got %v, want something with %q", address, err, want)
		}
	}
}

// TestSecretsStayOut puts a password with each special character, escaped or not, at each place in an address where one
// can occur. It must not appear in any error or in anything that errors show.
func TestSecretsStayOut(t *testing.T) {
	const secret = "SECRET"
	for _, special := range []string{"", "@", ":", "/", "?", "#", "%", "%zz", "&", "=", " ", "'", "\\", "[", "]", ",", "12/", "1?", "1#", "+", "\x00", "`", "\"", "a=b&c@"} {
		for _, form := range []string{
			"postgres://me:%s@127.0.0.1:1/db", "postgresql://me:%s@127.0.0.1:1,127.0.0.1:1/db", "postgres://127.0.0.1:1/db?user=me&password=%s",
			"postgres://me:%s@127.0.0.1:port/db", "postgres://me:%s@/db?host=127.0.0.1&port=1&sslmode=perhaps", "postgres://:%s@127.0.0.1:1",
			"host=127.0.0.1 port=1 user=me password=%s dbname=db", "postgres:host=127.0.0.1 password=%s port=x", "password='%s' host=127.0.0.1 port=1",
			"postgres://me@127.0.0.1:1/db?sslmode=disable&sslpassword=%s&sslkey=x",
		} {
			for _, password := range []string{special + secret, secret + special, secret + special + secret} {
				d, err := newDestination(strings.ReplaceAll(form, "%s", password), Options{})
				if err != nil {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("%s with %q: %v", form, password, err)
					}
					continue
				}
				err = unreachable(d.config, os.ErrDeadlineExceeded)
				if strings.Contains(d.where, secret) || strings.Contains(err.Error(), secret) {
					t.Errorf("%s with %q: %s: %v", form, password, d.where, err)
				}
				for parameter, value := range d.config.RuntimeParams {
					if strings.Contains(parameter+value, secret) {
						t.Errorf("%s with %q: parameter %q=%q would reach a server's log", form, password, parameter, value)
					}
				}
			}
		}
	}
}
