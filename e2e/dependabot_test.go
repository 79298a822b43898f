package e2e

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestDependabot checks that Dependabot updates every Go module of the repository.
func TestDependabot(t *testing.T) {
	config, err := os.ReadFile("../.github/dependabot.yml")
	if err != nil {
		t.Fatal(err)
	}
	var updated []string
	for _, m := range regexp.MustCompile(`gomod, directory: (\S+),`).FindAllSubmatch(config, -1) {
		updated = append(updated, string(m[1]))
	}
	var modules []string
	err = filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && slices.Contains([]string{".git", "node_modules", "dist", "bin"}, name) {
			return fs.SkipDir
		} else if name == "go.mod" {
			relative, err := filepath.Rel("..", filepath.Dir(file))
			modules = append(modules, path.Join("/", filepath.ToSlash(relative)))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(modules)
	slices.Sort(updated)
	if !slices.Equal(modules, updated) {
		t.Errorf("the modules are %q, but .github/dependabot.yml updates %q", modules, updated)
	}
}
