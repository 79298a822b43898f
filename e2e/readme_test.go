package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/internal/freeport"
)

// step is a command in a transcript, with its expected output.
type step struct {
	command string
	output  []string
}

// consoleSteps returns the steps in the console blocks of a document.
func consoleSteps(document string) []step {
	var steps []step
	inside := false
	for line := range strings.Lines(document) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "```console":
			inside = true
		case line == "```":
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			steps = append(steps, step{command: line[2:]})
		case inside:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}

// pattern matches the expected output. A line consisting of … matches any lines, and an … within a line matches any text.
func (s step) pattern() *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range s.output {
		if line == "…" {
			b.WriteString(`(?s:.*?)`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		b.WriteString(strings.Join(parts, `.*`) + `\n`)
	}
	return regexp.MustCompile(b.String() + `\z`)
}

// TestReadmeTranscript runs the commands in the README, using other ports, and compares their output.
func TestReadmeTranscript(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := consoleSteps(string(readme))
	if len(steps) < 5 {
		t.Fatalf("the README has %d commands", len(steps))
	}
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-modfile=../tools/go.mod", "-o", filepath.Join(buildDir, "grpcurl"), "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build grpcurl: %v\n%s", err, out)
	}
	service, stripe := freeAddress(t), freeAddress(t)
	ports := strings.NewReplacer("127.0.0.1:50051", service, "127.0.0.1:12111", stripe)
	folder := t.TempDir()
	for _, s := range steps {
		line, background := strings.CutSuffix(ports.Replace(s.command), " &")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "exec "+line)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "PATH="+buildDir+string(os.PathListSeparator)+os.Getenv("PATH"))
		if background {
			startInBackground(t, cmd, strings.Contains(line, "simulate"), stripe, service)
			continue
		}
		out, _ := cmd.CombinedOutput() // grpcurl exits with the code of the RPC
		if !s.pattern().Match(out) {
			t.Errorf("$ %s\ngot:\n%s\nthe README promises:\n%s", s.command, out, strings.Join(s.output, "\n"))
		}
	}
}

// startInBackground starts a server of the transcript, waits until it listens, and stops it at the end of the test.
func startInBackground(t *testing.T, cmd *exec.Cmd, isStripe bool, stripe, service string) {
	t.Helper()
	address := service
	if isStripe {
		address = stripe
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", address)
}

// freeAddress returns an unused loopback address.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}
