// Command prose reports phrases that this project avoids, and what to write instead. It checks all text files tracked by
// git; in Go files, it checks only comments and strings. words.txt lists the phrases.
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
		text, _ := os.ReadFile(filepath.Join(root, name)) // ignore errors: git also lists files that were deleted
		for _, found := range r.find(name, text) {
			fmt.Println(found)
			failed = true
		}
	}
	if failed {
		log.Fatal("prose: FAILED: CONTRIBUTING.md says how we write; tools/prose/words.txt lists the phrases")
	}
}

// rules is the parsed words.txt.
type rules struct {
	phrases, allowed []*regexp.Regexp
	instead          []string // by index of phrases
	skipped          []string
}

const space = `[\s/#>*]+` // between the words of a phrase, which may continue on the next line of a comment

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// parse parses rules in the format described in words.txt. It panics on an invalid regular expression.
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

// find returns a message for each phrase found in a file, with the file name, the line number, the phrase, and what to write
// instead.
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

// goProse returns src with each byte outside comments and string literals replaced by a space. Line breaks remain.
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

// blank returns text with each byte except line breaks replaced by a space.
func blank(text []byte) []byte {
	blanked := bytes.Repeat([]byte(" "), len(text))
	for i, c := range text {
		if c == '\n' {
			blanked[i] = c
		}
	}
	return blanked
}
