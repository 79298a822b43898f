package destination

import (
	"regexp"
	"slices"
	"strings"
)

// address matches the part after scheme:// of an address that can be parsed in only one way. The password ends at the last @,
// since it may contain an @ that isn't escaped.
var address = regexp.MustCompile(`^(?:([\w.%+-]*)(?::(?s:.*))?@)?((?:[\w.-]|\[[0-9A-Fa-f:]+\])*(?::\d+)?(?:,[\w.-]+(?::\d+)?)*(?:/[\w.%-]*)?)$`)

// harmless matches option values that can't contain a secret.
var harmless = regexp.MustCompile(`^[\w.,-]*$`)

// Redacted returns the name of a destination, for display, without anything that may be a password. It shows the parts of an
// address only if they are unambiguous, since special characters that aren't escaped in a password shift them.
func Redacted(name string) string {
	kind, rest, found := strings.Cut(name, ":")
	switch {
	case !found && !strings.ContainsAny(name, "@/"):
		return name // a single word
	case kind == "sqlite" || kind == "jsonl":
		return name // a path
	case !found, !strings.HasPrefix(rest, "//"):
		if strings.HasPrefix(name, "postgres") || strings.ContainsRune(name, '@') {
			if kind, _, _ = strings.Cut(kind, "//"); strings.ContainsAny(kind, "@/") || !found {
				return "…"
			}
			return kind + ":…"
		}
		return name
	}
	rest, query, _ := strings.Cut(rest[2:], "?")
	parts := address.FindStringSubmatch(rest)
	if parts == nil || strings.ContainsAny(query, "@#") {
		return kind + "://…"
	}
	shown := kind + "://" + parts[2]
	if parts[1] != "" {
		shown = kind + "://" + parts[1] + "@" + parts[2]
	}
	var options []string
	for option := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(option, "=")
		if harmless.MatchString(value) &&
			slices.Contains([]string{"schema", "deletes", "mode", "sslmode", "host", "port", "user", "dbname"}, key) {
			options = append(options, option)
		}
	}
	if options != nil {
		shown += "?" + strings.Join(options, "&")
	}
	return shown
}
