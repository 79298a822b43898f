package pipeline

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	// The YAML organization's own library, which goes on from the one at gopkg.in. Its nodes know their lines.
	"go.yaml.in/yaml/v4"
)

// tree is a document of YAML as JSON would have it, with the lines of all its parts.
type tree struct {
	value any
	lines map[string]int // by path
	order map[string][]string
}

// most bounds the parts of a document: aliases can make few lines into very many.
const most = 100_000

// parseTree parses one document.
func parseTree(content []byte) (*tree, []Problem) {
	t := &tree{lines: map[string]int{}, order: map[string][]string{}}
	var document yaml.Node
	if err := yaml.Load(content, &document); err != nil {
		if syntax, ok := errors.AsType[*yaml.LoadError](err); ok && syntax.Mark.Line > 0 {
			return t, []Problem{{Line: syntax.Mark.Line, Message: "is no YAML: " + strings.ReplaceAll(syntax.Message, "\n", " ") +
				". Look at the indentation, and put texts with :, #, { or } in them into quotes"}}
		}
		return t, []Problem{{Message: "must be one document of YAML that begins with pipelines:"}}
	}
	w := walker{tree: t}
	t.value = w.walk(document.Content[0], nil)
	return t, w.problems
}

// walker makes a tree of nodes.
type walker struct {
	*tree
	problems []Problem
	parts    int
}

func (w *walker) complain(n *yaml.Node, at []string, format string, args ...any) {
	w.problems = append(w.problems, Problem{Path: join(at), Line: n.Line, Message: fmt.Sprintf(format, args...)})
}

func (w *walker) walk(n *yaml.Node, at []string) any {
	if w.parts++; w.parts > most {
		if w.parts == most+1 {
			w.complain(n, at, "is one part too many: a file may have %d", most)
		}
		return nil
	}
	if _, seen := w.lines[join(at)]; !seen {
		w.lines[join(at)] = n.Line
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.walk(n.Alias, at)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			list = append(list, w.walk(c, append(slices.Clone(at), strconv.Itoa(i))))
		}
		return list
	case yaml.MappingNode:
		return w.object(n, at)
	}
	return w.scalar(n, at)
}

func (w *walker) object(n *yaml.Node, at []string) any {
	object := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			w.complain(key, at, "has a key that is no text: write it as name: value")
			continue
		}
		member := append(slices.Clone(at), key.Value)
		if _, twice := object[key.Value]; twice {
			w.complain(key, member, "is there twice: leave one of them out")
			continue
		}
		w.lines[join(member)] = key.Line
		w.order[join(at)] = append(w.order[join(at)], key.Value)
		object[key.Value] = w.walk(n.Content[i+1], member)
	}
	return object
}

// scalar gives the value that JSON would have. Dates stay texts.
func (w *walker) scalar(n *yaml.Node, at []string) any {
	var value any
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Load(&b) == nil {
			value = b
		}
	case "!!int":
		var i int64
		if n.Load(&i) == nil {
			value = i
		}
	case "!!float":
		var f float64
		if n.Load(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			value = f
		}
	case "!!str", "!!timestamp":
		value = n.Value
	}
	if value == nil {
		w.complain(n, at, "is of a kind that has no place here: write a text, a number, true or false")
	}
	return value
}

// names gives the members of the object at a path, in the order of the file.
func (t *tree) names(path ...string) []string { return t.order[join(path)] }

// problem makes a Problem of the part at path, or of the nearest part around it that is there.
func (t *tree) problem(message string, path ...string) Problem {
	p := Problem{Path: join(path), Message: message, Line: t.lines[join(path)]}
	for ; p.Line == 0 && len(path) > 0; path = path[:len(path)-1] {
		p.Line = t.lines[join(path[:len(path)-1])]
	}
	return p
}

var plain = regexp.MustCompile(`^[\w$*?\[\]-]+$`)

// join writes a path as people do: pipelines.acme.select[0].
func join(path []string) string {
	var b strings.Builder
	for _, p := range path {
		_, number := strconv.Atoi(p)
		switch {
		case number == nil && b.Len() > 0:
			b.WriteString("[" + p + "]")
		case !plain.MatchString(p):
			fmt.Fprintf(&b, "[%q]", p)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p)
		}
	}
	return b.String()
}
