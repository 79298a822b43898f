// Command release builds the files of a release: for each platform, an archive with the program, the license, and the
// documentation, and a software bill of materials; the checksums of all files; and their provenance. Builds are reproducible: the same commit
// and Go version produce the same bytes on any machine.
//
//	go -C tools run ./release VERSION FOLDER
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	repository = ".." // relative to tools
	module     = "github.com/stripe-connector/stripe-connector"
	program    = "stripe-connector"
)

var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// file is an entry of an archive.
type file struct {
	name    string
	content []byte
	mode    os.FileMode
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: release VERSION FOLDER [PLATFORM...]")
		os.Exit(2)
	}
	only := os.Args[3:]
	if len(only) == 0 {
		only = platforms
	}
	if err := run(os.Args[1], os.Args[2], only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(version, folder string, only []string) error {
	revision, err := output("git", "-C", repository, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	commit := revision[:12]
	seconds, err := output("git", "-C", repository, "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	stamp, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var sums []string
	write := func(name string, content []byte) error {
		sums = append(sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name))
		return os.WriteFile(filepath.Join(folder, name), content, 0o644)
	}
	for _, platform := range only {
		system, processor, _ := strings.Cut(platform, "/")
		binary, err := build(version, commit, system, processor, folder)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s_%s_%s_%s", program, strings.TrimPrefix(version, "v"), system, processor)
		content, end, err := pack(name, system, binary, time.Unix(stamp, 0).UTC())
		if err != nil {
			return err
		}
		bill, err := output("go", "run", "./sbom", binary)
		if err := errors.Join(err, os.Remove(binary)); err != nil {
			return err
		}
		if err := errors.Join(write(name+end, content), write(name+".spdx.json", []byte(bill+"\n"))); err != nil {
			return err
		}
	}
	slices.SortFunc(sums, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	goVersion, err := output("go", "env", "GOVERSION")
	if err != nil {
		return err
	}
	statement, err := provenance(version, revision, goVersion, only, sums)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(folder, "checksums.txt"), []byte(strings.Join(sums, "")), 0o644),
		os.WriteFile(filepath.Join(folder, "provenance.json"), append(statement, '\n'), 0o644))
}

// build builds the program for a platform and returns the path of the binary.
func build(version, commit, system, processor, folder string) (string, error) {
	path, err := filepath.Abs(filepath.Join(folder, program+"-"+system+"-"+processor))
	if err != nil {
		return "", err
	}
	flags := fmt.Sprintf("-s -w -buildid= -X %s/internal/cli.release=%s -X %s/internal/cli.commit=%s", module, version, module, commit)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, "./cmd/"+program)
	cmd.Dir, cmd.Stderr = repository, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor, "GOFLAGS=")
	return path, cmd.Run()
}

// pack returns an archive of the binary and the documents, and its file name extension: a zip for Windows, a tar.gz for
// other platforms.
func pack(folder, system, binary string, at time.Time) (content []byte, end string, err error) {
	executable := program
	if system == "windows" {
		executable += ".exe"
	}
	files := []file{{name: executable, mode: 0o755}, {name: "LICENSE", mode: 0o644}, {name: "README.md", mode: 0o644}, {name: "CHANGELOG.md", mode: 0o644}}
	for i := range files {
		path := filepath.Join(repository, files[i].name)
		if i == 0 {
			path = binary
		}
		if files[i].content, err = os.ReadFile(path); err != nil {
			return nil, "", err
		}
	}
	var b bytes.Buffer
	if system == "windows" {
		err = zipTo(&b, folder, files, at)
		return b.Bytes(), ".zip", err
	}
	err = tarTo(&b, folder, files, at)
	return b.Bytes(), ".tar.gz", err
}

func tarTo(w io.Writer, folder string, files []file, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: folder + "/" + f.name, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: at, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

func zipTo(w io.Writer, folder string, files []file, at time.Time) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		header := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: at}
		header.SetMode(f.mode)
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// output runs a command and returns its standard output without surrounding white space.
func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
