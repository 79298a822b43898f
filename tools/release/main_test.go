package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestArchivesAreReproducible packs the same binary twice, from files with different times and permissions.
func TestArchivesAreReproducible(t *testing.T) {
	if err := os.Chdir(".."); err != nil { // the program runs in the directory of its module
		t.Fatal(err)
	}
	stamp := time.Unix(1_700_000_000, 0).UTC()
	for _, system := range []string{"linux", "windows"} {
		var archives [2][]byte
		for i := range archives {
			binary := filepath.Join(t.TempDir(), "built")
			if err := os.WriteFile(binary, bytes.Repeat([]byte("binary "), 10_000), os.FileMode(0o600+0o55*i)); err != nil {
				t.Fatal(err)
			}
			then := time.Now().Add(-time.Duration(i) * 24 * time.Hour)
			if err := os.Chtimes(binary, then, then); err != nil {
				t.Fatal(err)
			}
			content, end, err := pack("stripe-connector_1", system, binary, stamp)
			if err != nil || end == "" {
				t.Fatal(end, err)
			}
			archives[i] = content
		}
		if !bytes.Equal(archives[0], archives[1]) {
			t.Errorf("%s: two archives of the same binary differ", system)
		}
	}
}
