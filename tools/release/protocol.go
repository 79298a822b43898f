package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// protocol writes an archive with the protocol, for clients in other languages.
func (r *release) protocol() error {
	content, err := r.packProtocol()
	if err != nil {
		return err
	}
	return r.write(fmt.Sprintf("%s-protocol_%s.tar.gz", program, r.version), content)
}

// packProtocol returns an archive of the buf module in proto, with the workspace that makes it one, and without its generated code.
func (r *release) packProtocol() ([]byte, error) {
	names, err := tracked("proto", "buf.yaml", "LICENSE", "docs/clients.md")
	if err != nil {
		return nil, err
	}
	var files []file
	for _, name := range names {
		if filepath.Ext(name) == ".go" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: fmt.Sprintf("%s-protocol_%s/%s", program, r.version, name), content: content, mode: 0o644})
	}
	var b bytes.Buffer
	err = gzipTo(&b, files, r.created)
	return b.Bytes(), err
}

// tracked returns the files at the given paths that git tracks, relative to the repository.
func tracked(paths ...string) ([]string, error) {
	out, err := output("git", append([]string{"-C", repository, "ls-files", "-z", "--"}, paths...)...)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), nil
}
