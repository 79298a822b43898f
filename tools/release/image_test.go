package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// testRelease returns a release whose files go to a temporary folder.
func testRelease(t *testing.T) *release {
	return &release{tag: "v1.2.3", version: "1.2.3", revision: strings.Repeat("c", 40), created: stamp, folder: t.TempDir()}
}

// testLayout returns the layout of an image for two processors.
func testLayout(binary []byte) ([]byte, error) {
	labels := (&release{version: "1.2.3", created: stamp}).labels("a test")
	index := v1.ImageIndex(empty.Index)
	for _, processor := range []string{"amd64", "arm64"} {
		built, err := images[0].build(binary, processor, labels, stamp)
		if err != nil {
			return nil, err
		}
		index = add(index, built, processor)
	}
	return layoutOf("stripe-connector:1.2.3", mutate.Annotations(index, labels).(v1.ImageIndex), stamp)
}

// unpackTest unpacks a tar into a temporary folder.
func unpackTest(t *testing.T, archive []byte) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := unpack(bytes.NewReader(archive), folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestLayout validates a layout, and reads it as each kind of tool would: by the index, and by manifest.json.
func TestLayout(t *testing.T) {
	archive, err := testLayout([]byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	folder := unpackTest(t, archive)
	root, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(root); err != nil {
		t.Error(err)
	}
	manifest, err := root.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("%+v, %v", manifest, err)
	}
	index, err := root.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := index.IndexManifest()
	if err != nil || len(listed.Manifests) != 2 || listed.Annotations["org.opencontainers.image.version"] != "1.2.3" {
		t.Fatalf("%+v, %v", listed, err)
	}
	for i, processor := range []string{"amd64", "arm64"} {
		image, err := index.Image(listed.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if listed.Manifests[i].ArtifactType != "" || listed.Manifests[i].Platform.Architecture != processor || config.Architecture != processor || config.OS != "linux" {
			t.Errorf("got %v and %s/%s, want linux/%s", listed.Manifests[i].Platform, config.OS, config.Architecture, processor)
		}
		if config.Config.User != "65532:65532" || !config.Created.Equal(stamp) || config.Config.Labels["org.opencontainers.image.licenses"] != "Apache-2.0" {
			t.Errorf("the image is configured as %+v", config)
		}
		loaded, err := tarball.Image(tarOpener(archive), new(reference("localhost/stripe-connector:1.2.3-"+processor)))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(loaded); err != nil {
			t.Error(err)
		}
		want, _ := image.ConfigName()
		if got, err := loaded.ConfigName(); err != nil || got != want {
			t.Errorf("docker load finds %v, %v, want %v", got, err, want)
		}
	}
}

// TestDockerfile checks that the images are configured as the Dockerfile says.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	built, err := images[0].build([]byte("program"), "amd64", testRelease(t).labels("title"), stamp)
	if err != nil {
		t.Fatal(err)
	}
	config, err := built.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	quoted := func(words []string) string {
		text, _ := json.Marshal(words)
		return strings.ReplaceAll(string(text), ",", ", ")
	}
	c := config.Config
	lines := []string{
		"USER " + c.User, "ENTRYPOINT " + quoted(c.Entrypoint), "CMD " + quoted(c.Cmd), "HEALTHCHECK CMD " + quoted(c.Healthcheck.Test[1:]),
	}
	for port := range c.ExposedPorts {
		lines = append(lines, "EXPOSE "+strings.TrimSuffix(port, "/tcp"))
	}
	for label := range c.Labels {
		lines = append(lines, label+"=")
	}
	has := strings.Split(strings.ReplaceAll(string(text), "LABEL ", ""), "\n")
	for _, line := range lines {
		if !slices.ContainsFunc(has, func(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), line) }) {
			t.Errorf("the Dockerfile has no line %s", line)
		}
	}
}

// TestImageRuns unpacks the layers of an image and runs its program there, as the image's user: it finds the certificate
// authorities, serves, and answers the health check.
func TestImageRuns(t *testing.T) {
	if os.Getuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("needs root on Linux, for chroot")
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := compile("v1.2.3", strings.Repeat("c", 40), ".", images[0].command, "linux", runtime.GOARCH, path); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	built, err := images[0].build(binary, runtime.GOARCH, nil, stamp)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("/var/tmp", "image-") // t.TempDir's parents may be closed to the image's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	layers := mutate.Extract(built)
	defer layers.Close()
	if err := unpack(layers, folder); err != nil {
		t.Fatal(err)
	}
	authorities, err := os.ReadFile(filepath.Join(folder, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(authorities) || bytes.Count(authorities, []byte("BEGIN CERTIFICATE")) < 100 {
		t.Errorf("%d bytes of certificates", len(authorities))
	}
	inside := func(args ...string) *exec.Cmd {
		cmd := exec.Command("/stripe-connector", args...)
		cmd.Dir, cmd.Env = "/", []string{"PATH=/"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: folder, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		return cmd
	}
	if out, err := inside("version").CombinedOutput(); err != nil || !strings.Contains(string(out), "v1.2.3") {
		t.Errorf("version: %s, %v", out, err)
	}
	serve := inside("serve", "--listen", "127.0.0.1:0")
	log, err := serve.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	var serving struct{ Msg, Address string }
	for lines := bufio.NewScanner(log); serving.Msg != "serving" && lines.Scan(); {
		if err := json.Unmarshal(lines.Bytes(), &serving); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
	}
	if out, err := inside("healthcheck", "--target", serving.Address).CombinedOutput(); err != nil {
		t.Errorf("healthcheck of %s: %s, %v", serving.Address, out, err)
	}
}
