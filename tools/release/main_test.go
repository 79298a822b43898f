package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain runs the tests in the directory of the module, like the program.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// stamp is the time of the commit in tests.
var stamp = time.Unix(1_700_000_000, 0).UTC()

// TestArchivesAreReproducible packs everything twice.
func TestArchivesAreReproducible(t *testing.T) {
	binary := bytes.Repeat([]byte("binary "), 10_000)
	for name, packed := range map[string]func() ([]byte, error){
		"linux":   func() ([]byte, error) { content, _, err := pack("x_1", "linux", binary, stamp); return content, err },
		"windows": func() ([]byte, error) { content, _, err := pack("x_1", "windows", binary, stamp); return content, err },
		"chart":   func() ([]byte, error) { content, _, err := packChart("1.2.3", stamp); return content, err },
		"protocol": func() ([]byte, error) {
			return (&release{version: "1.2.3", created: stamp}).packProtocol()
		},
		"image": func() ([]byte, error) { return testLayout(binary) },
	} {
		var archives [2][]byte
		for i := range archives {
			content, err := packed()
			if err != nil || len(content) == 0 {
				t.Fatal(name, len(content), err)
			}
			archives[i] = content
		}
		if !bytes.Equal(archives[0], archives[1]) {
			t.Errorf("%s: two archives of the same files differ", name)
		}
	}
}

// TestProvenance checks that the statement names each file with its checksum, the whole commit, and the version of Go.
func TestProvenance(t *testing.T) {
	sums := []string{strings.Repeat("0a", 32) + "  a.tar.gz\n", strings.Repeat("1b", 32) + "  a.spdx.json\n"}
	commit := strings.Repeat("c", 40)
	text, err := provenance("v1.2.3", commit, []string{"linux/arm64"}, []string{"golang.org/toolchain@go1.27.3"}, sums)
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
	if _, err := provenance("v1", commit, nil, nil, []string{"nonsense"}); err == nil {
		t.Error("a line without a checksum is accepted")
	}
}

// TestNumber checks the versions of the chart and the images.
func TestNumber(t *testing.T) {
	for tag, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-5-gabc": "1.2.3-5-gabc", "1.0.0": "1.0.0", "0123abc": "0.0.0-g0123abc", "0123abc-dirty": "0.0.0-g0123abc-dirty",
	} {
		if got := number(tag); got != want {
			t.Errorf("%s becomes %s, want %s", tag, got, want)
		}
	}
}
