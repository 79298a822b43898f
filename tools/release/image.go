package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"time"

	// The images have no base, so this library is all that building them takes: no container engine, and the same bytes
	// everywhere.
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// image describes an image of a release.
type image struct {
	name, title string
	module      string // the folder of the command's module
	command     string // below cmd
	service     bool   // whether it serves by default
}

var images = []image{
	{
		name: "stripe-connector", title: "The Stripe connector's gRPC service, without database drivers",
		module: ".", command: "stripe-connector-service", service: true,
	},
	{
		name: "stripe-connector-full", title: "The Stripe connector with all commands and database drivers",
		module: ".", command: "stripe-connector", service: true,
	},
}

// authorities is the module whose certificate authorities are in the images: Mozilla's, as maintained by the Go team. Unlike the
// machine's own, they are pinned in go.mod. They are a file and not linked into the program, so that users can mount another.
const authorities = "golang.org/x/crypto/x509roots/fallback"

// images writes each image for the Linux platforms among those of the release.
func (r *release) images(platforms []string) error {
	for _, described := range images {
		labels := r.labels(described.title)
		index := v1.ImageIndex(empty.Index)
		for _, platform := range platforms {
			system, processor, _ := strings.Cut(platform, "/")
			if system != "linux" {
				continue
			}
			binary, err := r.build(described.module, described.command, platform, fmt.Sprintf("%s_%s_image_%s_%s", described.name, r.version, system, processor))
			if err != nil {
				return err
			}
			built, err := described.build(binary, processor, labels, r.created)
			if err != nil {
				return err
			}
			index = add(index, built, processor)
		}
		if manifest, err := index.IndexManifest(); err != nil || len(manifest.Manifests) == 0 {
			return err
		}
		index = mutate.Annotations(index, labels).(v1.ImageIndex)
		content, err := layoutOf(described.name+":"+r.version, index, r.created)
		if err != nil {
			return err
		}
		if err := r.write(fmt.Sprintf("%s_%s_image.tar", described.name, r.version), content); err != nil {
			return err
		}
	}
	return nil
}

// container is an image that isn't described as an artifact in an index.
type container struct{ v1.Image }

// ArtifactType returns "".
func (container) ArtifactType() (string, error) { return "", nil }

// add adds an image for a processor to an index.
func add(index v1.ImageIndex, built v1.Image, processor string) v1.ImageIndex {
	return mutate.AppendManifests(mutate.IndexMediaType(index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: container{built}, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: processor}},
	})
}

// labels returns the labels of an image (https://specs.opencontainers.org/image-spec/annotations/).
func (r *release) labels(title string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":    title,
		"org.opencontainers.image.version":  r.version,
		"org.opencontainers.image.revision": r.revision,
		"org.opencontainers.image.source":   "https://" + module,
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.created":  r.created.Format(time.RFC3339),
	}
}

// build returns an image of a program, configured as by the Dockerfile.
func (i image) build(binary []byte, processor string, labels map[string]string, created time.Time) (v1.Image, error) {
	config := v1.Config{User: "65532:65532", Entrypoint: []string{"/stripe-connector"}, Labels: labels}
	if i.service {
		config.Cmd = []string{"serve", "--listen", "0.0.0.0:50051", "--insecure"}
		config.ExposedPorts = map[string]struct{}{"50051/tcp": {}}
		config.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "/stripe-connector", "healthcheck"}}
	}
	built, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &v1.ConfigFile{
		OS: "linux", Architecture: processor, Created: v1.Time{Time: created}, Config: config, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	for _, f := range []file{
		{name: "etc/ssl/certs/ca-certificates.crt", content: certificates(), mode: 0o644},
		{name: "stripe-connector", content: binary, mode: 0o755},
	} {
		var b bytes.Buffer
		if err := tarTo(&b, []file{f}, created); err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(b.Bytes())), nil
		}, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		history := v1.History{Created: v1.Time{Time: created}, CreatedBy: "COPY /" + f.name}
		if built, err = mutate.Append(built, mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: history}); err != nil {
			return nil, err
		}
	}
	built = mutate.ConfigMediaType(built, types.OCIConfigJSON)
	return mutate.Annotations(built, labels).(v1.Image), nil
}

// certificates returns the authorities as PEM. Those that are trusted only for some certificates are omitted, since a file can't
// say so.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer returns no errors
		}
	}
	return b.Bytes()
}
