// Package hint formats what messages about user input have in common.
package hint

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein" // small, without dependencies of its own
)

// Nearest returns a sentence, preceded by a space, that suggests the known name closest to name, or "" if none is close.
func Nearest(name string, known []string) string {
	nearest, best := "", utf8.RuneCountInString(name)/2+1
	if len(name) > maxQuote {
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

// maxQuote is the most bytes of user input that a message repeats.
const maxQuote = 80

// keyPattern matches Stripe's API keys, and the secrets of webhooks and clients.
var keyPattern = regexp.MustCompile(`(?i)\b(?:[a-z]{2,5}_(?:live|test)|whsec|rk|sk)_\w+`)

// Quote returns text in quotation marks, truncated if it is long. It never repeats anything that looks like a key, which may
// have been entered in the wrong field.
func Quote(text string) string {
	text = keyPattern.ReplaceAllString(text, "[key]")
	if len(text) > maxQuote {
		return strconv.Quote(strings.ToValidUTF8(text[:maxQuote], "")) + "…"
	}
	return strconv.Quote(text)
}

// maxNamed is the maximum number of names that a message lists.
const maxNamed = 12

// List joins names with commas. If there are many, it lists the first ones and says how many more there are.
func List(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
