package destination

import (
	"slices"
	"strings"
)

// Redacted returns the name of a destination without any password that is in it, to show to people.
func Redacted(name string) string {
	scheme, rest, found := strings.Cut(name, "://")
	if !found {
		if !strings.HasPrefix(name, "postgres") {
			return name
		}
		kind, _, _ := strings.Cut(name, ":")
		return kind + ":…" // of a form that tells nothing of where a password is
	}
	before, query, _ := strings.Cut(rest, "?")
	if strings.ContainsRune(query, '@') { // what is before it may belong to a password that isn't escaped
		return scheme + "://…"
	}
	at := strings.LastIndexByte(before, '@') // a password may have one, too
	if at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		rest = user + rest[at:]
	}
	path, query, found := strings.Cut(rest, "?")
	if !found {
		return scheme + "://" + rest
	}
	var shown []string
	for option := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(option, "=")
		if slices.Contains([]string{"schema", "deletes", "mode", "sslmode", "host", "port", "user", "dbname"}, key) {
			shown = append(shown, option)
		}
	}
	if shown != nil {
		path += "?" + strings.Join(shown, "&")
	}
	return scheme + "://" + path
}
