package e2e

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// scenarios are those in which examples are tested by default: the four that say most about a client. Each starts it several times.
var scenarios = flag.String("scenarios", "resume,delete-matching,generation,refused", "scenarios of conformance for the examples; empty for all")

// certify runs `stripe-connector conformance` with a client.
func certify(t *testing.T, client ...string) {
	t.Helper()
	args := []string{"conformance", "--quiet"}
	if *scenarios != "" {
		args = append(args, "--only", *scenarios)
	}
	if out, err := command(t, append(append(args, "--"), client...)...).CombinedOutput(); err != nil {
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

// blocks returns the code blocks in a section of docs/clients.md, by language: sh, yaml and the section's own.
func blocks(t *testing.T, section string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	found := map[string]string{}
	for i, part := range strings.Split(rest, "\n```") {
		if i%2 == 1 {
			language, code, _ := strings.Cut(part, "\n")
			found[language] = code
		}
	}
	return found
}

// bufFolder returns the folder of the pinned buf.
func bufFolder(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "-C", "..", "tool", "-modfile=tools/go.mod", "-n", "buf").Output()
	if err != nil {
		t.Fatalf("build buf: %v", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// generate generates code in a folder as docs/clients.md says, with protoc and with buf, and checks that both generate the same.
func generate(t *testing.T, folder, output string, recipe map[string]string) {
	t.Helper()
	protocol, err := filepath.Abs("../proto")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(protocol, filepath.Join(folder, "proto")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "buf.gen.yaml"), []byte(recipe["yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bufFolder(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	run(t, folder, "buf", "generate", "proto/released.binpb")
	run(t, folder, "mv", output, "of-buf")
	run(t, folder, "sh", "-e", "-c", recipe["sh"])
	run(t, folder, "diff", "-r", "of-buf", output)
	run(t, folder, "rm", "-r", "of-buf")
}

// replace replaces each old part of a text by a new one. It fails if there is none.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("nothing says %s in %s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// TestPythonExample generates the code as docs/clients.md says, runs the few lines there, and tests the client.
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
	for _, tool := range []string{"protoc", "grpc_python_plugin"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	folder, recipe := copyExample(t, "python"), blocks(t, "Python")
	generate(t, folder, "gen", recipe)

	stripe := simulate(t, stripetest.Options{})
	fields, err := json.Marshal(simulatedConfig(stripe.URL))
	if err != nil {
		t.Fatal(err)
	}
	lines := replace(t, recipe["python"], `{"api_key": "rk_live_…"}`, string(fields), "127.0.0.1:50051", serve(t, stripe.URL, api.Retry{}, io.Discard))
	cmd := exec.Command(python, "-c", lines)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "'object': 'charge'") {
		t.Errorf("%v\n%.1000s", err, out)
	}
	certify(t, python, filepath.Join(folder, "certify.py"))
}

// TestTypeScriptExample generates the code as docs/clients.md says, compiles it together with the example and the few lines there,
// and tests the client. The packages must have been installed in the example's folder.
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
		t.Skip("needs its packages: run npm ci in examples/typescript")
	}
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Skip("needs protoc")
	}
	folder, recipe := copyExample(t, "typescript"), blocks(t, "TypeScript")
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(folder, "buf.gen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	generate(t, folder, "src/gen", recipe)
	for _, line := range []string{"target=ts", "import_extension=js", "out: src/gen"} {
		if !strings.Contains(string(own), line) || !strings.Contains(recipe["yaml"], line) {
			t.Errorf("the example and docs/clients.md don't both say %s", line)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "src/lines.ts"), []byte(recipe["ts"]), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, folder, filepath.Join(tools, "tsc"))
	certify(t, "node", filepath.Join(folder, "dist", "certify.js"))
}

// TestAirflowExample compiles the DAG, and runs its command line with another configuration and destination.
func TestAirflowExample(t *testing.T) {
	out, err := exec.Command("python3", "-c", `
import ast, json, sys
source = open(sys.argv[1]).read()
compile(source, sys.argv[1], "exec")
print(json.dumps(next(ast.literal_eval(node.value) for node in ast.parse(source).body
    if isinstance(node, ast.Assign) and node.targets[0].id == "ARGUMENTS")))`, "../examples/airflow/stripe_sync.py").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("needs python3")
	}
	var args []string
	if err := errors.Join(err, json.Unmarshal(out, &args)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	folder := t.TempDir()
	for i, arg := range args {
		switch name, _, _ := strings.Cut(arg, "="); name {
		case "--config":
			args[i] = "--config=" + writeConfig(t, simulate(t, stripetest.Options{}).URL)
		case "--to":
			args[i] = "--to=jsonl:" + folder
		}
	}
	report, err := command(t, args...).Output()
	if err != nil || !json.Valid(report) {
		t.Errorf("%v: %v\n%s", args, err, report)
	}
	if rows, err := os.ReadFile(filepath.Join(folder, "charges.jsonl")); err != nil || len(rows) == 0 {
		t.Errorf("%d bytes of charges, %v", len(rows), err)
	}
}
