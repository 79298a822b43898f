package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
)

// repository is the root of the repository.
const repository = "../.."

// documents returns the content of the repository's Markdown files, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin" || entry.Name() == "dist" || entry.Name() == "testdata" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			content, err := os.ReadFile(path)
			all[path] = string(content)
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```")
)

// anchors returns the anchors that GitHub generates for the headings of a document.
func anchors(document string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(document, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				b.WriteRune(r)
			}
		}
		all[b.String()] = true
	}
	return all
}

// deadLinks returns the links of a document to files or headings that don't exist in the repository.
func deadLinks(path, document string) (dead []string) {
	for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(document, ""), -1) {
		target := m[1]
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(target, "#")
		content := document
		if file != "" {
			to := filepath.Join(filepath.Dir(path), file)
			if _, err := os.Stat(to); err != nil {
				dead = append(dead, target)
				continue
			}
			if anchor != "" {
				text, err := os.ReadFile(to)
				if err != nil {
					dead = append(dead, target)
					continue
				}
				content = string(text)
			}
		}
		if anchor != "" && !anchors(content)[anchor] {
			dead = append(dead, target)
		}
	}
	return dead
}

func TestNoLinkIsDead(t *testing.T) {
	for path, document := range documents(t) {
		for _, target := range deadLinks(path, document) {
			t.Errorf("%s links to %s, which is not there", path, target)
		}
	}
	if dead := deadLinks(repository+"/x.md", "# A b\n[1](#a-b) [2](#c) [3](README.md) [4](none.md) [5](README.md#none)"); len(dead) != 3 {
		t.Errorf("found dead: %v, want three", dead)
	}
}

// commandLine matches a command line of this program in a text: from the program's name to the end of the line, a
// pipe, or a redirection.
var commandLine = regexp.MustCompile(`(?m)(?:^|[ $;&|]) *(?:[A-Z_]+=\S+ +)*stripe-connector((?: [^\n#>|&]+)?)`)

// wrongCommands parses the command lines in a text. It returns an error message for each one that doesn't parse, and
// the number of command lines.
func wrongCommands(root *cobra.Command, text string) (wrong []string, n int) {
	text = strings.NewReplacer("\\\n", " ", `"$@"`, "").Replace(text) // scripts pass their arguments on
	for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
		args := shellWords(m[1])
		if len(args) > 0 && args[0] == "help" {
			continue
		}
		n++
		cmd, rest, err := root.Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil && !strings.Contains(err.Error(), "help requested") {
			wrong = append(wrong, fmt.Sprintf("stripe-connector%s: %v", m[1], err))
		}
	}
	return wrong, n
}

// shellWords splits a command line at spaces outside quotes.
func shellWords(line string) []string {
	var words []string
	word, quote, begun := "", rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			if begun {
				words = append(words, word)
			}
			word, begun = "", false
		default:
			word += string(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word)
	}
	return words
}

// TestDocumentedCommandsParse parses every command line in the documents and in the examples of help, so that each
// command and flag exists. Other tests run them.
func TestDocumentedCommandsParse(t *testing.T) {
	fresh := func() *cobra.Command { return newWorld(t, fakeSource{}).root() }
	found := 0
	for path, document := range documents(t) {
		for _, block := range fenced.FindAllStringSubmatch(document, -1) {
			if block[1] != "sh" && block[1] != "console" {
				continue
			}
			wrong, n := wrongCommands(fresh(), block[2])
			found += n
			for _, w := range wrong {
				t.Errorf("%s: %s", path, w)
			}
		}
	}
	for _, cmd := range fresh().Commands() {
		wrong, n := wrongCommands(fresh(), cmd.Example)
		found += n
		for _, w := range wrong {
			t.Errorf("the help of %s: %s", cmd.Name(), w)
		}
	}
	if found < 60 {
		t.Errorf("found %d command lines, want more", found)
	}
	if wrong, _ := wrongCommands(fresh(), "stripe-connector sync --too x\nKEY=1 stripe-connector nope | jq\nstripe-connector spec extra"); len(wrong) != 3 {
		t.Errorf("found wrong: %v, want three", wrong)
	}
}
