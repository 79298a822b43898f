package destination

import (
	"path/filepath"
	"strings"
)

// In gives the name of a destination with the path in it taken from a folder, if it has one and that is relative.
func In(folder, name string) string {
	kind, path, found := strings.Cut(name, ":")
	if !found || path == "" || (kind != "sqlite" && kind != "jsonl") || filepath.IsAbs(path) || strings.HasPrefix(path, "/") {
		return name
	}
	return kind + ":" + filepath.Join(folder, path)
}
