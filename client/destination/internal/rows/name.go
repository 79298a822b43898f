package rows

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// longest is the longest name in bytes that PostgreSQL keeps. It truncates longer ones without an error.
	longest = 63
	// hashed is the number of hash characters that keep apart names that would otherwise become the same.
	hashed = 8
)

// SafeName returns a table or column name for a name from the source. Names of lower-case letters, digits and underscores
// stay as they are. Any other name is reduced to these characters, truncated, and given a hash suffix, so that different
// names don't collide. The same goes for names that begin with a digit, with an underscore, like the sync's own columns, or
// with sqlite_. Reserved words, such as "default", are safe when quoted.
func SafeName(name string) string {
	if isPlain(name) {
		return name
	}
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			r = '_'
		}
		b.WriteRune(r)
	}
	folded := strings.Trim(b.String(), "_")
	if folded == "" || folded[0] <= '9' || strings.HasPrefix(folded, "sqlite") {
		folded = "x_" + folded
	}
	sum := sha256.Sum256([]byte(name))
	return folded[:min(len(folded), longest-hashed-1)] + "_" + hex.EncodeToString(sum[:])[:hashed]
}

func isPlain(name string) bool {
	if name == "" || len(name) > longest || name[0] < 'a' || name[0] > 'z' || strings.HasPrefix(name, "sqlite_") {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// Quote quotes a name for use in a statement.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteAll quotes names and joins them with commas.
func QuoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = Quote(name)
	}
	return strings.Join(quoted, ", ")
}
