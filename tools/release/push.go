package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// push pushes the images and the chart in the folder of a release to a registry, such as registry.example.com/team. It prints each
// with its digest.
func push(folder, registry string, out io.Writer) error {
	archives, err := filepath.Glob(filepath.Join(folder, "*.tar"))
	if err != nil {
		return err
	}
	if len(archives) == 0 {
		return fmt.Errorf("%s has no images: run make release", folder)
	}
	for _, archive := range archives {
		if err := pushArchive(archive, registry, out); err != nil {
			return fmt.Errorf("push %s: %w", archive, err)
		}
	}
	return nil
}

func pushArchive(archive, registry string, out io.Writer) error {
	folder, err := os.MkdirTemp("", "push-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	packed, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer packed.Close()
	if err := unpack(packed, folder); err != nil {
		return err
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, described := range manifest.Manifests {
		to, err := name.NewTag(registry + "/" + strings.TrimPrefix(described.Annotations[nameAnnotation], unpublished))
		if err != nil {
			return err
		}
		var content remote.Taggable
		if described.MediaType.IsIndex() {
			content, err = index.ImageIndex(described.Digest)
		} else {
			content, err = index.Image(described.Digest)
		}
		if err != nil {
			return err
		}
		if err := remote.Push(to, content, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s@%s\n", to, described.Digest)
	}
	return nil
}
