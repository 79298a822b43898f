package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// certify runs `stripe-connector conformance` with a client.
func certify(t *testing.T, client ...string) {
	t.Helper()
	if out, err := command(t, append([]string{"conformance", "--quiet", "--"}, client...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// copyExample copies an example to a temporary folder.
func copyExample(t *testing.T, name string) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(folder, os.DirFS("../examples/"+name)); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestPythonExample generates the code of the example as its README says, and tests the client.
func TestPythonExample(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts Python dozens of times")
	}
	python := "python3"
	if exec.Command(python, "-c", "import grpc").Run() != nil {
		python = "/usr/bin/python3" // Debian's, whose packages another one may not see
	}
	if out, err := exec.Command(python, "-c", "import grpc, google.protobuf").CombinedOutput(); err != nil {
		t.Skipf("needs Python with the modules grpc and google.protobuf: %v\n%s", err, out)
	}
	var protoc []string
	plugin, err := exec.LookPath("grpc_python_plugin")
	switch {
	case exec.Command(python, "-c", "import grpc_tools.protoc").Run() == nil:
		protoc = []string{python, "-m", "grpc_tools.protoc"}
	case err == nil:
		protoc = []string{"protoc", "--plugin=protoc-gen-grpc_python=" + plugin}
	default:
		t.Skip("needs Python's module grpc_tools, or protoc and grpc_python_plugin")
	}
	released, err := filepath.Abs("../proto/released.binpb")
	if err != nil {
		t.Fatal(err)
	}
	folder := copyExample(t, "python")
	if err := os.MkdirAll(filepath.Join(folder, "gen"), 0o700); err != nil {
		t.Fatal(err)
	}
	generate := exec.Command(protoc[0], append(protoc[1:], "--descriptor_set_in="+released, "--python_out=gen", "--grpc_python_out=gen",
		"connector/v1/catalog.proto", "connector/v1/failure.proto", "connector/v1/read.proto", "connector/v1/service.proto")...)
	generate.Dir = folder
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	certify(t, python, filepath.Join(folder, "certify.py"))
}
