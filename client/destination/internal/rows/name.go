package rows

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// longest is the number of bytes that PostgreSQL keeps of a name; it cuts the rest without an error.
	longest = 63
	// hashed is the number of letters that tell names apart which would otherwise become the same.
	hashed = 8
)

// SafeName returns the name of a table or column for a name of the source's. Lower-case letters, digits and underscores stay
// as they are. Any other name is folded into these and cut, and gets letters of its hash, so that no two names become the
// same whatever comes later; so does a name that begins with an underscore, as ours do, or with a digit. Names that a
// database reserves need quotes, as in "default", and are safe with these.
func SafeName(name string) string {
	if plain(name) {
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

func plain(name string) bool {
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

// Quote makes any name safe in a statement.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteAll quotes names and puts commas between them.
func QuoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = Quote(name)
	}
	return strings.Join(quoted, ", ")
}
