// Command release builds the files of a release:
//
//   - for each platform, an archive with the program, the license, and the documentation;
//   - container images, each for all Linux platforms, as archives of OCI image layouts;
//   - the Helm chart, as the archive that helm installs and as an OCI image layout;
//   - the protocol, for clients in other languages;
//   - a software bill of materials for each program, the checksums of all files, and their provenance.
//
// Builds are reproducible: the same commit and Go version produce the same bytes on any machine.
//
//	go -C tools run ./release VERSION FOLDER [PLATFORM...]
//
// It also pushes the images and the chart of a folder to a registry, with the credentials that docker login stored:
//
//	go -C tools run ./release push FOLDER REGISTRY
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
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

// release is a release that is being built.
type release struct {
	tag      string // such as v1.2.3: what the programs print
	version  string // such as 1.2.3: the version of the chart, and in names of files and images
	revision string // the whole hash of the commit
	created  time.Time
	folder   string
	sums     []string // the lines of checksums.txt
}

func main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 3 && args[0] == "push":
		err = push(args[1], args[2], os.Stdout)
	case len(args) == 2:
		err = run(args[0], args[1], platforms)
	case len(args) > 2:
		err = run(args[0], args[1], args[2:])
	default:
		fmt.Fprintln(os.Stderr, "usage: release VERSION FOLDER [PLATFORM...]\n       release push FOLDER REGISTRY")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(tag, folder string, platforms []string) error {
	revision, err := output("git", "-C", repository, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
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
	r := &release{tag: tag, version: number(tag), revision: revision, created: time.Unix(stamp, 0).UTC(), folder: folder}
	if err := errors.Join(r.archives(platforms), r.images(platforms), r.chart(), r.protocol()); err != nil {
		return err
	}
	slices.SortFunc(r.sums, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	goVersion, err := output("go", "env", "GOVERSION")
	if err != nil {
		return err
	}
	roots, err := output("go", "list", "-m", "-f", "{{.Path}}@{{.Version}}", authorities)
	if err != nil {
		return err
	}
	statement, err := provenance(tag, revision, platforms, []string{"golang.org/toolchain@" + goVersion, roots}, r.sums)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(folder, "checksums.txt"), []byte(strings.Join(r.sums, "")), 0o644),
		os.WriteFile(filepath.Join(folder, "provenance.json"), append(statement, '\n'), 0o644))
}

// write writes a file of the release.
func (r *release) write(name string, content []byte) error {
	r.sums = append(r.sums, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name))
	return os.WriteFile(filepath.Join(r.folder, name), content, 0o644)
}

// build builds a program for a platform, writes its bill of materials as name.spdx.json, and returns the program.
func (r *release) build(module, command, platform, name string) ([]byte, error) {
	system, processor, _ := strings.Cut(platform, "/")
	path, err := filepath.Abs(filepath.Join(r.folder, "building"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(path)
	if err := compile(r.tag, r.revision, module, command, system, processor, path); err != nil {
		return nil, err
	}
	bill, err := output("go", "run", "./sbom", path)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	return content, errors.Join(err, r.write(name+".spdx.json", []byte(bill+"\n")))
}

// compile builds a command of a module, which is a folder of the repository, into a file.
func compile(tag, revision, folder, command, system, processor, path string) error {
	flags := fmt.Sprintf("-s -w -buildid= -X %s/internal/cli.release=%s -X %s/internal/cli.commit=%.12s", module, tag, module, revision)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, "./cmd/"+command)
	cmd.Dir, cmd.Stderr = filepath.Join(repository, folder), os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor, "GOFLAGS=")
	return cmd.Run()
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
