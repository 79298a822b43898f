package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// packageFolder is the path of package schema relative to this folder.
const packageFolder = "../.."

// loaded returns the inputs, which take a while to decode. Generating doesn't change them.
var loaded = sync.OnceValues(loadAll)

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	all, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(all)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCommittedOutputIsCurrent checks that the committed files are exactly those the generator writes.
func TestCommittedOutputIsCurrent(t *testing.T) {
	want := generated(t)
	for path, content := range want {
		committed, err := os.ReadFile(filepath.Join(packageFolder, path))
		if err != nil {
			t.Errorf("%v: run go generate ./connector/stripe/schema", err)
		} else if !bytes.Equal(committed, content) {
			t.Errorf("%s is not what the generator writes: run go generate ./connector/stripe/schema", path)
		}
	}
	content, err := archived(want)
	if err != nil {
		t.Fatal(err)
	}
	if committed, err := readArchive(filepath.Join(packageFolder, archiveFile)); err != nil || !bytes.Equal(committed, content) {
		t.Errorf("%s is not what the generator writes: run go generate ./connector/stripe/schema: %v", archiveFile, err)
	}
	for _, folder := range []string{objectsFolder, relationsFolder} {
		committed, err := filepath.Glob(filepath.Join(packageFolder, folder, "*", "*"))
		if err != nil || len(committed) == 0 {
			t.Fatalf("%d files: %v", len(committed), err)
		}
		for _, path := range committed {
			if path = strings.TrimPrefix(filepath.ToSlash(path), packageFolder+"/"); want[path] == nil {
				t.Errorf("%s is no longer generated: run go generate ./connector/stripe/schema", path)
			}
		}
	}
}

func TestGenerateTwiceGivesTheSameBytes(t *testing.T) {
	first, second := generated(t), generated(t)
	for path := range first {
		if !bytes.Equal(first[path], second[path]) {
			t.Errorf("%s differs between two runs", path)
		}
	}
}

func TestRunRemovesWhatIsNoLongerGenerated(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, objectsFolder, "gone.json")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the stale file is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, objectsFolder, "2023-10-16", "charge.json")); err != nil {
		t.Error(err)
	}
}

func TestReferencesAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		component, property, object, want string
	}{
		"no such property":     {"charge", "payment_metod", "payment_method", "nothing has charge.payment_metod"},
		"no such object":       {"charge", "description", "chargee", `no object "chargee"`},
		"not a string":         {"charge", "amount", "charge", "charge.amount is not a plain string"},
		"expandable by itself": {"charge", "customer", "customer", "nothing has charge.customer"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := loaded()
			if err != nil {
				t.Fatal(err)
			}
			var changed []*inputs
			for _, in := range all {
				with := *in
				with.references = maps.Clone(in.references)
				with.references[c.component] = maps.Clone(in.references[c.component])
				with.references[c.component][c.property] = c.object
				changed = append(changed, &with)
			}
			if _, err := generate(changed); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("generate: %v, want an error with %q", err, c.want)
			}
		})
	}
}
