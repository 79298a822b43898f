package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// certify runs `stripe-connector conformance` with a client.
func certify(t *testing.T, client ...string) {
	t.Helper()
	if out, err := command(t, append([]string{"conformance", "--quiet", "--"}, client...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// run runs a command in a folder.
func run(t *testing.T, folder string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// copyExample copies an example to a temporary folder, without what was installed or generated in its own.
func copyExample(t *testing.T, name string) (folder string) {
	t.Helper()
	from, to := filepath.Join("../examples", name), filepath.Join(t.TempDir(), name)
	if err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		copied := to + strings.TrimPrefix(path, from)
		switch skipped := slices.Contains([]string{"node_modules", "gen", "dist", "__pycache__"}, entry.Name()); {
		case entry.IsDir() && skipped:
			return fs.SkipDir
		case skipped: // a link to what was installed elsewhere
			return nil
		case entry.IsDir():
			return os.MkdirAll(copied, 0o700)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(copied, content, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
	return to
}

// released returns the path of the released protocol.
func released(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../proto/released.binpb")
	if err != nil {
		t.Fatal(err)
	}
	return path
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
	folder := copyExample(t, "python")
	if err := os.MkdirAll(filepath.Join(folder, "gen"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, folder, append(protoc, "--descriptor_set_in="+released(t), "--python_out=gen", "--grpc_python_out=gen",
		"connector/v1/catalog.proto", "connector/v1/failure.proto", "connector/v1/read.proto", "connector/v1/service.proto")...)
	certify(t, python, filepath.Join(folder, "certify.py"))
}

// TestTypeScriptExample generates and compiles the example as its README says, and tests the client. The packages must have been
// installed in its folder.
func TestTypeScriptExample(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts Node dozens of times")
	}
	modules, err := filepath.Abs("../examples/typescript/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Join(modules, ".bin")
	if _, err := os.Stat(filepath.Join(tools, "tsc")); err != nil {
		t.Skip("needs its packages: run npm install in examples/typescript")
	}
	folder := copyExample(t, "typescript")
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	run(t, folder, "buf", "generate", released(t))
	run(t, folder, "tsc")
	certify(t, "node", filepath.Join(folder, "dist", "certify.js"))
}
