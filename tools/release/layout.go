package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// nameAnnotation has the full name of an image in a layout, for containerd. The images have no registry yet, so it is localhost.
const (
	nameAnnotation = "io.containerd.image.name"
	unpublished    = "localhost/"
)

// layoutOf returns a tar of an OCI image layout with an image or index, named NAME:TAG.
func layoutOf(name string, content partial.Describable, created time.Time) ([]byte, error) {
	folder, err := os.MkdirTemp("", "layout-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return nil, err
	}
	_, tag, _ := strings.Cut(name, ":")
	names := layout.WithAnnotations(map[string]string{nameAnnotation: unpublished + name, "org.opencontainers.image.ref.name": tag})
	switch content := content.(type) {
	case v1.ImageIndex:
		err = errors.Join(path.AppendIndex(content, names), writeManifest(folder, name, content))
	case v1.Image:
		err = path.AppendImage(content, names)
	default:
		err = fmt.Errorf("%T is neither an image nor an index", content)
	}
	if err != nil {
		return nil, err
	}
	files, err := filesIn(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = tarTo(&b, files, created)
	return b.Bytes(), err
}

// writeManifest adds what `docker load` reads where Docker stores images without containerd: a name for the image of each
// processor, since that store has no indexes.
func writeManifest(folder, name string, index v1.ImageIndex) error {
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var entries []entry
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, described := range manifest.Manifests {
		image, err := index.Image(described.Digest)
		if err != nil {
			return err
		}
		content, err := image.Manifest()
		if err != nil {
			return err
		}
		e := entry{Config: blob(content.Config.Digest), RepoTags: []string{unpublished + name + "-" + described.Platform.Architecture}}
		for _, layer := range content.Layers {
			e.Layers = append(e.Layers, blob(layer.Digest))
		}
		entries = append(entries, e)
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "manifest.json"), text, 0o644)
}

// blob returns the path of a blob in a layout.
func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// filesIn returns the files in a folder, sorted by name.
func filesIn(folder fs.FS) (files []file, err error) {
	err = fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, path)
		files = append(files, file{name: path, content: content, mode: 0o644})
		return err
	})
	return files, err
}

// unpack unpacks a tar into a folder.
func unpack(r io.Reader, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(filepath.Dir(header.Name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(header.Name, content, header.FileInfo().Mode().Perm()); err != nil {
			return err
		}
	}
}
