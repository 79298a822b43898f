package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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

// TestProvenance checks that the statement names each file with its checksum, the whole commit, and the version of Go.
func TestProvenance(t *testing.T) {
	sums := []string{strings.Repeat("0a", 32) + "  a.tar.gz\n", strings.Repeat("1b", 32) + "  a.spdx.json\n"}
	commit := strings.Repeat("c", 40)
	text, err := provenance("v1.2.3", commit, "go1.27.3", []string{"linux/arm64"}, sums)
	if err != nil {
		t.Fatal(err)
	}
	var statement struct {
		Type    string `json:"_type"`
		Subject []struct {
			Name   string
			Digest map[string]string
		}
	}
	if err := json.Unmarshal(text, &statement); err != nil {
		t.Fatal(err)
	}
	if statement.Type != "https://in-toto.io/Statement/v1" || len(statement.Subject) != 2 || statement.Subject[1].Name != "a.spdx.json" ||
		statement.Subject[1].Digest["sha256"] != strings.Repeat("1b", 32) {
		t.Errorf("got %s", text)
	}
	for _, part := range []string{`"gitCommit": "` + commit + `"`, "toolchain@go1.27.3", `"version": "v1.2.3"`, "linux/arm64"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("nothing says %s in %s", part, text)
		}
	}
	if _, err := provenance("v1", commit, "go1", nil, []string{"nonsense"}); err == nil {
		t.Error("a line without a checksum is accepted")
	}
}
