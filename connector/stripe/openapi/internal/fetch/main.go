// Command fetch writes Stripe's OpenAPI document of an API version, and the examples that belong to it, into the current folder.
// It takes them from a release of stripe-mock (https://github.com/stripe/stripe-mock), which the go command downloads and
// verifies like any other module:
//
//	fetch 2026-08-26.dahlia v0.203.0
//
// Descriptions and marks of deprecation are omitted: the generator doesn't read them, the descriptions are half of the document, and
// older releases of stripe-mock, whose code is otherwise the same, reject the marks.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: fetch API-VERSION RELEASE-OF-STRIPE-MOCK")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version, release string) error {
	folder, err := download(ctx, "github.com/stripe/stripe-mock@"+release)
	if err != nil {
		return err
	}
	for _, file := range []struct{ from, to string }{
		{"spec3.json", version + ".spec.json.zst"},
		{"fixtures3.json", version + ".fixtures.json.zst"},
	} {
		text, err := os.ReadFile(filepath.Join(folder, "embedded", "openapi", file.from))
		if err != nil {
			return err
		}
		if file.from == "spec3.json" {
			if text, err = reduced(text); err != nil {
				return err
			}
		}
		if err := write(file.to, text); err != nil {
			return err
		}
	}
	return nil
}

// download downloads a module and returns its folder.
func download(ctx context.Context, module string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", module).Output() //nolint:gosec // the module is an argument of go generate
	if err != nil {
		return "", fmt.Errorf("download %s: %w: %s", module, err, out)
	}
	var answer struct{ Dir string }
	err = json.Unmarshal(out, &answer)
	return answer.Dir, err
}

// reduced returns a document without descriptions and marks of deprecation. A property with one of these names has an object for its
// value, and stays.
func reduced(text []byte) ([]byte, error) {
	var document any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return nil, err
	}
	reduce(document)
	return json.Marshal(document)
}

func reduce(value any) {
	switch v := value.(type) {
	case map[string]any:
		if _, isText := v["description"].(string); isText {
			delete(v, "description")
		}
		if _, isMark := v["deprecated"].(bool); isMark {
			delete(v, "deprecated")
		}
		for _, member := range v {
			reduce(member)
		}
	case []any:
		for _, element := range v {
			reduce(element)
		}
	}
}

// write writes a compressed file, unless one with the same content exists: another release of the compressor may find other
// bytes for it.
func write(path string, text []byte) error {
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer decoder.Close()
	packed, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if known, err := decoder.DecodeAll(packed, nil); err == nil && bytes.Equal(known, text) {
		return nil
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return err
	}
	defer encoder.Close()
	return os.WriteFile(path, encoder.EncodeAll(text, nil), fs.FileMode(0o644)) //nolint:gosec // the path is made of an argument of go generate
}
