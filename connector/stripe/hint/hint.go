// Package hint phrases what messages about a user's input have in common.
package hint

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein" // small, without dependencies of its own
)

// Nearest returns a sentence, with a space before it, that names the nearest of the known names; empty if none is near.
func Nearest(name string, known []string) string {
	nearest, best := "", utf8.RuneCountInString(name)/2+1
	if len(name) > longestQuote {
		return ""
	}
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(name, candidate); d < best {
			nearest, best = candidate, d
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", nearest)
}

// longestQuote is the most bytes of a user's input that a message repeats.
const longestQuote = 80

// keyPattern matches Stripe's keys, and the secrets of its webhooks and clients.
var keyPattern = regexp.MustCompile(`(?i)\b(?:[a-z]{2,5}_(?:live|test)|whsec|rk|sk)_\w+`)

// Quote returns what the user wrote in quotes, or its beginning. What looks like a key is never repeated: it may have been put into
// the wrong field.
func Quote(text string) string {
	text = keyPattern.ReplaceAllString(text, "[key]")
	if len(text) > longestQuote {
		return strconv.Quote(strings.ToValidUTF8(text[:longestQuote], "")) + "…"
	}
	return strconv.Quote(text)
}
