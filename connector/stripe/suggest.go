package stripe

import (
	"fmt"

	"github.com/agnivade/levenshtein" // small, without dependencies of its own
)

// suggest gives a sentence that names the nearest of some names, or nothing if none is near.
func suggest(name string, known []string) string {
	nearest, best := "", len(name)/2+1
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
