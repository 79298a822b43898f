package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packageFolder is the path of package schema relative to this folder.
const packageFolder = "../.."

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	in, err := load()
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(in)
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
	for _, folder := range []string{objectsFolder, relationsFolder} {
		entries, err := os.ReadDir(filepath.Join(packageFolder, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if path := folder + "/" + entry.Name(); want[path] == nil {
				t.Errorf("%s is not generated any more: run go generate ./connector/stripe/schema", path)
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
	if _, err := os.Stat(filepath.Join(dir, objectsFolder, "charge.json")); err != nil {
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
		"expandable by itself": {"charge", "customer", "customer", "charge.customer is not a plain string"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := load()
			if err != nil {
				t.Fatal(err)
			}
			in.references[c.component][c.property] = c.object
			if _, err := generate(in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("generate: %v, want an error with %q", err, c.want)
			}
		})
	}
}
