package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"
)

// chartFolder is the chart's folder in the repository. Its last element is the chart's name.
const chartFolder = "deploy/helm/stripe-connector"

// Media types of charts in registries (https://helm.sh/docs/topics/registries/).
const (
	chartConfig = types.MediaType("application/vnd.cncf.helm.config.v1+json")
	chartLayer  = types.MediaType("application/vnd.cncf.helm.chart.content.v1.tar+gzip")
)

// number returns a version without v. A commit without a tag becomes a version older than all releases, since Helm requires one.
func number(tag string) string {
	version := strings.TrimPrefix(tag, "v")
	if !semver.IsValid("v" + version) {
		return "0.0.0-g" + version
	}
	return version
}

// chart writes the chart as the archive that helm installs, and as an OCI image layout. Its version is the release's, and its
// images are too unless values say otherwise.
func (r *release) chart() error {
	archive, metadata, err := packChart(r.version, r.created)
	if err != nil {
		return err
	}
	if err := r.write(fmt.Sprintf("%s-%s.tgz", program, r.version), archive); err != nil {
		return err
	}
	artifact, err := newArtifact(archive, metadata, r.labels(program+", the Helm chart"))
	if err != nil {
		return err
	}
	// Helm names charts like this in registries, where a tag can't have a +.
	content, err := layoutOf("charts/"+program+":"+strings.ReplaceAll(r.version, "+", "_"), artifact, r.created)
	if err != nil {
		return err
	}
	return r.write(fmt.Sprintf("%s-chart_%s_oci.tar", program, r.version), content)
}

// versions matches the lines of Chart.yaml with the versions of the chart and of its images.
var versions = regexp.MustCompile(`(?m)^(version|appVersion): .*$`)

// packChart returns the chart's archive, and its metadata as JSON. Helm's own archives aren't reproducible: they have the time at
// which they were made.
func packChart(version string, created time.Time) (archive, metadata []byte, err error) {
	paths, err := tracked(chartFolder)
	if err != nil {
		return nil, nil, err
	}
	var files []file
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(repository, path))
		if err != nil {
			return nil, nil, err
		}
		name := strings.TrimPrefix(path, chartFolder+"/")
		if name == "Chart.yaml" {
			content = versions.ReplaceAll(content, []byte(`$1: "`+version+`"`))
			if metadata, err = toJSON(content); err != nil {
				return nil, nil, err
			}
		}
		if !strings.HasPrefix(name, "ci/") { // values for tests
			files = append(files, file{name: program + "/" + name, content: content, mode: 0o644})
		}
	}
	var b bytes.Buffer
	err = gzipTo(&b, files, created)
	return b.Bytes(), metadata, err
}

func toJSON(text []byte) ([]byte, error) {
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, err
	}
	return json.Marshal(values)
}

// artifact is a chart as an image in a registry: its metadata is the configuration, and its archive the only layer.
type artifact struct {
	manifest, config []byte
	layer            v1.Layer
}

func newArtifact(archive, metadata []byte, annotations map[string]string) (v1.Image, error) {
	a := artifact{config: metadata, layer: static.NewLayer(archive, chartLayer)}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: annotations}
	digest, size, err := v1.SHA256(bytes.NewReader(metadata))
	if err != nil {
		return nil, err
	}
	manifest.Config = v1.Descriptor{MediaType: chartConfig, Digest: digest, Size: size}
	described, err := partial.Descriptor(a.layer)
	if err != nil {
		return nil, err
	}
	manifest.Layers = []v1.Descriptor{*described}
	if a.manifest, err = json.Marshal(manifest); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a artifact) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a artifact) RawConfigFile() ([]byte, error)      { return a.config, nil }

func (a artifact) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if has, err := a.layer.Digest(); err != nil || has != digest {
		return nil, fmt.Errorf("the chart has no layer %s", digest)
	}
	return a.layer, nil
}
