package stripe

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein" // small, without dependencies of its own
)

// suggest gives a sentence that names the nearest of some names, or nothing if none is near.
func suggest(name string, known []string) string {
	nearest, best := "", utf8.RuneCountInString(name)/2+1
	if len(name) > longestEcho {
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

// longestEcho is how much of what the user wrote is repeated to them.
const longestEcho = 80

// echo quotes what the user wrote, or its beginning.
func echo(text string) string {
	if len(text) > longestEcho {
		return strconv.Quote(strings.ToValidUTF8(text[:longestEcho], "")) + "…"
	}
	return strconv.Quote(text)
}
