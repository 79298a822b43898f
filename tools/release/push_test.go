package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func tarOpener(archive []byte) tarball.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
}

func reference(s string) name.Tag { return must(name.NewTag(s)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestPush pushes an image and the chart to a registry, and pulls both. If HELM is the path of Helm, it pulls the chart, too.
func TestPush(t *testing.T) {
	r := testRelease(t)
	if err := push(r.folder, "registry.example.com", io.Discard); err == nil {
		t.Error("an empty folder is pushed")
	}
	archive, err := testLayout([]byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.write("stripe-connector_1.2.3_image.tar", archive); err != nil {
		t.Fatal(err)
	}
	if err := r.chart(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	var out strings.Builder
	if err := push(r.folder, host+"/team", &out); err != nil {
		t.Fatal(err)
	}
	for _, pushed := range []string{"/team/stripe-connector:1.2.3@sha256:", "/team/charts/stripe-connector:1.2.3@sha256:"} {
		if !strings.Contains(out.String(), host+pushed) {
			t.Errorf("it doesn't name %s: %s", pushed, out.String())
		}
	}
	index, err := remote.Index(reference(host + "/team/stripe-connector:1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	chart, err := remote.Image(reference(host + "/team/charts/stripe-connector:1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := chart.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct{ Name, Version, AppVersion string }
	if err := json.Unmarshal(config, &metadata); err != nil || metadata.Name != program || metadata.Version != "1.2.3" || metadata.AppVersion != "1.2.3" {
		t.Errorf("%s: %v", config, err)
	}
	if helm := os.Getenv("HELM"); helm != "" {
		pullWithHelm(t, helm, host, filepath.Join(r.folder, "stripe-connector-1.2.3.tgz"))
	}
}

// pullWithHelm checks that Helm pulls a chart that is equal to the packed one, which passes its lint and installs the images of its version.
func pullWithHelm(t *testing.T, helm, host, packed string) {
	folder := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(helm, args...)
		cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+folder, "HELM_CONFIG_HOME="+folder, "HELM_DATA_HOME="+folder)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("pull", "oci://"+host+"/team/charts/stripe-connector", "--version", "1.2.3", "--plain-http", "--destination", folder)
	pulled := filepath.Join(folder, "stripe-connector-1.2.3.tgz")
	want, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(pulled); err != nil || !bytes.Equal(got, want) {
		t.Errorf("helm pulls %d bytes, %v, want %d", len(got), err, len(want))
	}
	values := []string{"--set", "image.repository=registry.example.com/stripe-connector,tls.insecure=true"}
	run(append([]string{"lint", "--strict", pulled}, values...)...)
	if out := run(append([]string{"template", "x", pulled}, values...)...); !strings.Contains(out, `image: "registry.example.com/stripe-connector:1.2.3"`) {
		t.Errorf("the image isn't that of the release: %s", out)
	}
}
