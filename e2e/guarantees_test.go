package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest     = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	namedConstant = regexp.MustCompile("`([a-z]+[A-Z]\\w*)`")
	definedTest   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	bound         = regexp.MustCompile(`^(max|most|longest|largest)[A-Z]`)
	tooling       = regexp.MustCompile(`^\.\./(?:bench|tools)/|test/|/generate/`) // code that isn't part of the programs
	constant      = regexp.MustCompile(`(?m)^(?:const|\t)\s*(\w+)\s+=`)
)

// TestGuarantees checks that docs/guarantees.md names a test for every promise and every constant that bounds something, that every
// test and constant it names exists, and that README and ARCHITECTURE.md link to it.
func TestGuarantees(t *testing.T) {
	tests, constants := defined(t)
	page := readFile(t, "../docs/guarantees.md")
	for name, path := range constants {
		if bound.MatchString(name) && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s has the bound %s: say what it limits, and what happens beyond it", path, name)
		}
	}
	for _, line := range strings.Split(page, "\n") {
		cells := strings.Split(line, " | ")
		if strings.HasPrefix(line, "| **") {
			if len(cells) != 4 || !namedTest.MatchString(cells[3]) {
				t.Errorf("no test attacks this promise: %s", line)
			}
			for _, name := range namedTest.FindAllStringSubmatch(line, -1) {
				if tests[name[1]] == "" {
					t.Errorf("there is no test %s", name[1])
				}
			}
		}
		if len(cells) == 2 && strings.HasPrefix(line, "| `") {
			for _, name := range namedConstant.FindAllStringSubmatch(cells[0], -1) {
				if constants[name[1]] == "" {
					t.Errorf("there is no constant %s", name[1])
				}
			}
		}
	}
	for _, file := range []string{"README.md", "ARCHITECTURE.md"} {
		if !strings.Contains(readFile(t, "../"+file), "docs/guarantees.md") {
			t.Errorf("%s doesn't mention docs/guarantees.md", file)
		}
	}
}

// TestThreatModel checks that every test named in THREAT-MODEL.md exists, and that README and SECURITY.md link to it.
func TestThreatModel(t *testing.T) {
	tests, _ := defined(t)
	names := namedTest.FindAllStringSubmatch(readFile(t, "../THREAT-MODEL.md"), -1)
	if len(names) < 10 {
		t.Errorf("it names %d tests", len(names))
	}
	for _, name := range names {
		if tests[name[1]] == "" {
			t.Errorf("there is no test %s", name[1])
		}
	}
	for _, file := range []string{"README.md", "SECURITY.md"} {
		if !strings.Contains(readFile(t, "../"+file), "THREAT-MODEL.md") {
			t.Errorf("%s doesn't mention THREAT-MODEL.md", file)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// defined returns the files of all tests and of the programs' constants, by name.
func defined(t *testing.T) (tests, constants map[string]string) {
	t.Helper()
	tests, constants = map[string]string{}, map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		names, pattern := constants, constant
		if strings.HasSuffix(path, "_test.go") {
			names, pattern = tests, definedTest
		} else if tooling.MatchString(path) {
			return nil
		}
		for _, name := range pattern.FindAllStringSubmatch(readFile(t, path), -1) {
			names[name[1]] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests, constants
}
