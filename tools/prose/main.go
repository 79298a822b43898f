// Prose reports phrases that this project doesn't use, and what to write instead. It reads the comments and strings of Go
// files, and all text of the other files that git tracks. words.txt lists the phrases.
//
//	go -C tools run ./prose ..
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/scanner"
	"go/token"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

//go:embed words.txt
var words string

func main() {
	log.SetFlags(0)
	root := os.Args[1]
	files, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		log.Fatal("prose: git ls-files: ", err)
	}
	r, failed := parse(words), false
	for name := range strings.Lines(string(files)) {
		name = strings.TrimSpace(name)
		text, _ := os.ReadFile(filepath.Join(root, name)) // a deleted file may still be listed
		for _, found := range r.find(name, text) {
			fmt.Println(found)
			failed = true
		}
	}
	if failed {
		log.Fatal("prose: FAILED: CONTRIBUTING.md says how we write; tools/prose/words.txt lists the phrases")
	}
}

// rules is words.txt, parsed.
type rules struct {
	phrases, allowed []*regexp.Regexp
	instead          []string // by index of phrases
	skipped          []string
}

const space = `[\s/#>*]+` // within a phrase; it may continue on the next line of a comment

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// parse reads the format that words.txt describes. It panics on an invalid regular expression.
func parse(text string) (r rules) {
	compile := func(s string) *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(?:` + strings.ReplaceAll(s, " ", space) + `)\b`)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if pattern, instead, ok := strings.Cut(line, " = "); ok {
			r.phrases, r.instead = append(r.phrases, compile(pattern)), append(r.instead, instead)
		} else if pattern, ok := strings.CutPrefix(line, "allow "); ok {
			r.allowed = append(r.allowed, compile(pattern))
		} else if prefix, ok := strings.CutPrefix(line, "skip "); ok {
			r.skipped = append(r.skipped, prefix)
		}
	}
	return r
}

// find returns a line for each phrase in a file: the file, the line, the phrase and what to write instead.
func (r rules) find(name string, text []byte) (found []string) {
	for _, prefix := range r.skipped {
		if strings.HasPrefix(name, prefix) {
			return nil
		}
	}
	if !utf8.Valid(text) || generated.Match(text) {
		return nil
	}
	if strings.HasSuffix(name, ".go") {
		text = goProse(text)
	}
	for _, a := range r.allowed {
		text = a.ReplaceAllFunc(text, blank)
	}
	for i, p := range r.phrases {
		for _, at := range p.FindAllIndex(text, -1) {
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			found = append(found, fmt.Sprintf("%s:%d: %q: write %s", name, line, text[at[0]:at[1]], r.instead[i]))
		}
		text = p.ReplaceAllFunc(text, blank) // a later phrase may be part of this one
	}
	return found
}

// goProse returns src with a space for each byte outside comments and string literals. Lines stay as they are.
func goProse(src []byte) []byte {
	prose := blank(src)
	file := token.NewFileSet().AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, scanner.ScanComments)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return prose
		}
		if tok == token.COMMENT || tok == token.STRING {
			copy(prose[file.Offset(pos):], literal)
		}
	}
}

// blank returns a space for each byte of text, except line breaks.
func blank(text []byte) []byte {
	blanked := bytes.Repeat([]byte(" "), len(text))
	for i, c := range text {
		if c == '\n' {
			blanked[i] = c
		}
	}
	return blanked
}
