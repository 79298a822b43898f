// Command generate writes the JSON Schemas of package schema from Stripe's OpenAPI documents, one for each API version.
//
// The documents are those of package openapi. Three small files in this folder add what they lack:
//
//   - supplement.json describes, in the documents' format, the objects that stripe-go v76.25.0 has and an older document lacks.
//   - references.json names the plain string properties that hold the id of another object, which the documents say only in
//     prose.
//   - includable.json says when a field that is absent unless expanded is requested, if at all.
//
// The output depends only on these inputs, so it is reproducible.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "the folder of package schema, whose objects and relations folders are rewritten")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	all, err := loadAll()
	if err != nil {
		return fmt.Errorf("load the inputs: %w", err)
	}
	files, err := generate(all)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return replace(dir, files)
}

// replace rewrites the output folders and the archive, so that files of removed objects do not remain.
func replace(dir string, files map[string][]byte) error {
	for _, folder := range []string{objectsFolder, relationsFolder} {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			return err
		}
	}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, path), content, 0o644); err != nil {
			return err
		}
	}
	return writeArchive(filepath.Join(dir, archiveFile), files)
}
